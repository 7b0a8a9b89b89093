"""Work that is done ahead of its use."""

import os
import subprocess
import sys
import time

import pytest

from gmoe.molecules.ahead import DEPTH, ahead


def square(number):
    if number < 0:
        raise ValueError('negative')
    return number**2


def end(number):
    os._exit(1)


@pytest.mark.parametrize('num_workers', [0, 1, 2])
def test_order(num_workers):
    items = ((str(i), i) for i in range(50))
    out = list(ahead(square, items, num_workers))
    assert out == [(str(i), i**2) for i in range(50)]


@pytest.mark.parametrize('num_workers', [0, 2])
def test_never_too_far(num_workers):
    taken = []

    def items():
        for i in range(100):
            taken.append(i)
            yield i, i

    for done, _ in enumerate(ahead(square, items(), num_workers)):
        assert len(taken) <= done + 2 + DEPTH * num_workers
    assert done == 99


@pytest.mark.parametrize('num_workers', [0, 2])
def test_errors_come_through(num_workers):
    with pytest.raises(ValueError, match='negative'):
        list(ahead(square, [(None, 1), (None, -1)], num_workers))


def test_a_process_that_is_ended():
    with pytest.raises(RuntimeError, match='ended from outside'):
        list(ahead(end, [(None, 1)], 1))


def test_no_process_outlives_one_that_is_killed():
    code = (
        'import os, signal\n'
        'from gmoe.molecules.ahead import ahead\n'
        'def who(number): return os.getpid()\n'
        'for _, pid in ahead(who, ((i, i) for i in range(10)), 1):\n'
        '    print(pid, flush=True)\n'
        '    os.kill(os.getpid(), signal.SIGKILL)\n'
    )
    command = [sys.executable, '-c', code]
    # Its output ends once no process holds it any more.
    done = subprocess.run(command, capture_output=True, timeout=60)
    pid = int(done.stdout)
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    raise AssertionError('it is still there')
