"""The memory of a run."""

from __future__ import annotations

import ctypes
import resource
from contextlib import suppress
from pathlib import Path

import torch

# What glibc's mallopt calls them.
_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3


def keep_freed_memory() -> None:
    """Lets the process keep what it frees, where its C library is glibc, which
    otherwise gives large tensors back to the system: to get them again, page
    by page, takes longer than some operations on them."""
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, 2**30)
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)


def give_back_freed_memory() -> None:
    """Gives the system what the process has freed, where it has glibc."""
    malloc_trim = getattr(ctypes.CDLL(None), 'malloc_trim', None)
    if malloc_trim is not None:
        malloc_trim(0)


def reset_peak_memory() -> None:
    """Starts counting anew, where the system can."""
    if torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()
    with suppress(OSError):
        Path('/proc/self/clear_refs').write_text('5')


def peak_memory() -> int:
    """The peak in bytes: of the GPU where one is used, else of the process."""
    if torch.cuda.is_initialized():
        return torch.cuda.max_memory_allocated()
    peak = process_memory('VmHWM')
    if peak is None:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return peak


def process_memory(key: str) -> int | None:
    """The memory of the process on Linux, in bytes; else :obj:`None`.

    Args:
        key: ``"VmRSS"`` for what it holds, ``"VmHWM"`` for the peak of that.
    """
    status = Path('/proc/self/status')
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith(f'{key}:'):
                return int(line.split()[1]) * 1024
    return None
