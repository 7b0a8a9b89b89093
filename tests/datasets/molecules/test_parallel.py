import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest

from gmoe.datasets.molecules import parallel
from gmoe.datasets.molecules.parallel import default_workers, map_chunks


def squares(numbers):
    return os.getpid(), [number**2 for number in numbers]


def fail(numbers):
    raise ValueError('no')


@pytest.mark.parametrize('num_workers', [0, 1, 2])
def test_order_is_kept(num_workers):
    found = list(map_chunks(squares, range(23), num_workers, size=4))
    assert [n for _, part in found for n in part] == [i**2 for i in range(23)]
    is_here = {pid == os.getpid() for pid, _ in found}
    assert is_here == {num_workers < 2}
    assert not multiprocessing.active_children()


def test_nothing_to_do():
    assert list(map_chunks(squares, [], 2)) == []


def test_errors_come_through():
    for num_workers in (0, 2):
        with pytest.raises(ValueError, match='no'):
            list(map_chunks(fail, range(9), num_workers, size=2))
    gc.collect()
    assert not multiprocessing.active_children()
    with pytest.raises(ValueError, match="'num_workers' must be"):
        list(map_chunks(squares, range(9), -1))


def test_stopped_in_the_middle():
    for _ in map_chunks(squares, range(99), 2, size=1):
        break
    assert not multiprocessing.active_children()


def test_bar(monkeypatch, capfd):
    list(map_chunks(squares, range(9), 0, label='Squares'))
    assert capfd.readouterr() == ('', '')
    monkeypatch.setattr(parallel, 'FEW', 5)
    list(map_chunks(squares, range(9), 0, label='Squares'))
    out, err = capfd.readouterr()
    assert out == ''
    assert 'Squares' in err
    assert '100%' in err


def test_few_molecules_need_no_processes():
    assert default_workers(100) == 0
    assert default_workers(10**6) >= 1


SLOW = """
import os, time
from gmoe.datasets.molecules.parallel import map_chunks
def slow(items):
    time.sleep(0.05)
    return os.getpid()
pids = set()
for pid in map_chunks(slow, range(10_000), 2, size=1):
    if pid not in pids:
        pids.add(pid)
        print(pid, flush=True)
"""


@pytest.mark.skipif(sys.platform != 'linux', reason='reads /proc')
@pytest.mark.parametrize('sign', [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_of_a_killed_process(sign: signal.Signals):
    process = subprocess.Popen(
        [sys.executable, '-c', SLOW],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    pids = [int(process.stdout.readline()) for _ in range(2)]
    if sign == signal.SIGINT:  # As a terminal does, to all of them.
        os.killpg(process.pid, sign)
    else:
        process.kill()
    assert process.wait(60) != 0
    deadline = time.monotonic() + 60
    while any(os.path.exists(f'/proc/{pid}') for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.stdout.close()
