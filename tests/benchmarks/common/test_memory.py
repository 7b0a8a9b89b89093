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

def faults():
    for _ in range(3):  # The first times the process may still grow.
        fill()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        fill()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def fill():
    torch.zeros(10 * 2**20).add_(1)  # 40 MiB

print(faults())
keep_freed_memory()
print(faults())
print(peak_memory())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='needs glibc')
def test_freed_memory_is_kept():
    process = subprocess.run(
        [sys.executable, '-c', CODE],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    before, after, peak = map(int, process.stdout.split())
    assert after < before / 4
    assert 40 * 2**20 < peak < 2**32
