"""The memory of a run, in a process of its own."""

import platform
import subprocess
import sys

import pytest

from benchmarks.common.record import ROOT

CODE = """
import resource
import torch
from benchmarks.common.memory import keep_freed_memory, peak_memory

if {keep}:
    keep_freed_memory()

def fill():
    torch.zeros(10 * 2**20).add_(1)  # 40 MiB

for _ in range(3):
    fill()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    fill()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(peak_memory())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='needs glibc')
def test_freed_memory_is_kept():
    faults = []
    for keep in (False, True):
        process = subprocess.run(
            [sys.executable, '-c', CODE.format(keep=keep)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        fault, peak = map(int, process.stdout.split())
        faults.append(fault)
        assert 40 * 2**20 < peak < 2**32
    # The first times the process may still grow.
    assert faults[1] < faults[0] / 4
