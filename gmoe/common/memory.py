"""How much memory there is."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

import torch


def usable_memory(device: torch.device | str = 'cpu') -> int:
    """The bytes of a device's memory; for the CPU, no more than the process
    may have. The largest integer where that is not known.

    Args:
        device: The device.
    """
    device = torch.device(device)
    if device.type == 'cuda':
        return int(torch.cuda.get_device_properties(device).total_memory)
    known = [sys.maxsize]
    # Not everywhere is that known, and Windows has no limits of a process.
    with suppress(AttributeError, ValueError):
        known.append(os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE'))
    with suppress(ImportError):
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            known.append(limit)
    return min(size for size in known if size > 0)


def shown_bytes(size: float) -> str:
    """A number of bytes as people write it.

    Args:
        size: The number.
    """
    for unit in ('B', 'KB', 'MB'):
        if size < 1000:
            return f'{size:.0f} {unit}'
        size = size / 1000
    return f'{size:,.1f} GB'
