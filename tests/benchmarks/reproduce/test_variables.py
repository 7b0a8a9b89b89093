"""The environment variables of the processes that runs are in."""

import os
import subprocess
import sys
from ctypes.util import find_library
from pathlib import Path

import pytest

from benchmarks.record import ROOT
from benchmarks.reproduce import variables
from benchmarks.reproduce.variables import (
    allocator,
    allocator_variables,
    variables_set,
    worker_variables,
)

# In a process of its own, as the server of processes is one per process.
CODE = """
import os
from benchmarks.reproduce import variables
from benchmarks.reproduce.local_pool import LocalPool
from tests.benchmarks.reproduce.test_variables import say

variables.find_library = lambda name: {library!r}
LocalPool(1, 3).call(say)
assert 'OMP_NUM_THREADS' not in os.environ
assert 'LD_PRELOAD' not in os.environ
"""


def say():
    names = [*worker_variables(1), 'LD_PRELOAD']
    print([os.environ.get(name) for name in names])
    libraries = Path('/proc/self/maps').read_text()
    print([name in libraries for name in ('libm.so', 'jemalloc')])
    print(allocator())


def said(library):
    hidden = {*worker_variables(1), 'LD_PRELOAD'}
    process = subprocess.run(
        [sys.executable, '-c', CODE.format(library=library)],
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if k not in hidden},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout.splitlines()


@pytest.mark.skipif(sys.platform != 'linux', reason='needs Linux')
@pytest.mark.parametrize('library', [None, 'libm.so.6'])
def test_processes_have_them(library):
    values, _, name = said(library)
    assert values == str(['3', '3', '1', library])
    assert name == allocator()


@pytest.mark.skipif(find_library('jemalloc') is None, reason='no jemalloc')
def test_processes_use_jemalloc():
    _, libraries, name = said(find_library('jemalloc'))
    assert libraries == '[True, True]'
    assert name == 'jemalloc'


def test_own_variables_stay(monkeypatch):
    monkeypatch.setattr(variables, 'find_library', lambda name: 'libjemalloc')
    monkeypatch.setattr(sys, 'platform', 'linux')
    monkeypatch.setenv('LD_PRELOAD', 'own.so')
    monkeypatch.setenv('MALLOC_CONF', 'narenas:1')
    assert allocator_variables() == {
        'LD_PRELOAD': 'libjemalloc:own.so',
        'MALLOC_CONF': 'narenas:1',
    }
    monkeypatch.setattr(sys, 'platform', 'darwin')
    assert allocator_variables() == {}


def test_variables_set(monkeypatch):
    def fail():
        with variables_set({'GMOE_TEST_A': 'b', 'GMOE_TEST_B': 'c'}):
            assert os.environ['GMOE_TEST_A'] == 'b'
            assert os.environ['GMOE_TEST_B'] == 'c'
            raise ZeroDivisionError

    monkeypatch.setenv('GMOE_TEST_A', 'a')
    with pytest.raises(ZeroDivisionError):
        fail()
    assert os.environ['GMOE_TEST_A'] == 'a'
    assert 'GMOE_TEST_B' not in os.environ
