"""The environment variables of the processes that runs are in."""

import os
import subprocess
import sys

import pytest

from benchmarks.common.record import ROOT
from benchmarks.reproduce.pools.variables import (
    variables_set,
    worker_variables,
)

# In a process of its own, as the server of processes is one per process.
CODE = """
import os
from benchmarks.reproduce.pools.local_pool import LocalPool
from tests.benchmarks.reproduce.pools.test_variables import say

LocalPool(1, 3).call(say)
assert 'OMP_NUM_THREADS' not in os.environ
"""


def say():
    print([os.environ.get(name) for name in worker_variables(1)])


def test_processes_have_them():
    hidden = set(worker_variables(1))
    process = subprocess.run(
        [sys.executable, '-c', CODE],
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if k not in hidden},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.strip() == str(
        ['3', '3', '1', 'background_thread:false']
    )


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
