"""The environment variables of the processes that runs are in."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ctypes.util import find_library

# What is freed is kept for half a minute, as the next batch or the next epoch
# takes it again, of any size. For good, it would break up over many epochs.
_JEMALLOC = 'dirty_decay_ms:30000,muzzy_decay_ms:0,oversize_threshold:0'


def worker_variables(threads: int) -> dict[str, str]:
    """The variables of a run that may be on any machine.

    Args:
        threads: The number of threads.
    """
    return {
        'OMP_NUM_THREADS': str(threads),
        'MKL_NUM_THREADS': str(threads),
        # NumPy's, which starts its threads on import: before a fork.
        'OPENBLAS_NUM_THREADS': '1',
    }


def allocator_variables() -> dict[str, str]:
    """The variables by which a process on this machine takes its memory from
    jemalloc, none where the system does not have it. glibc's heap breaks up
    under tensors of ever other sizes, which takes time in each allocation.
    """
    library = find_library('jemalloc') if sys.platform == 'linux' else None
    if library is None:
        return {}
    before = os.environ.get('LD_PRELOAD')
    return {
        'LD_PRELOAD': f'{library}:{before}' if before else library,
        'MALLOC_CONF': os.environ.get('MALLOC_CONF', _JEMALLOC),
    }


def allocator() -> str:
    """What this process takes its memory from."""
    if 'jemalloc' in os.environ.get('LD_PRELOAD', ''):
        return 'jemalloc'
    return platform.libc_ver()[0] or sys.platform


@contextmanager
def variables_set(variables: Mapping[str, str]) -> Iterator[None]:
    """Sets variables for the processes that are started meanwhile.

    Args:
        variables: The variables.
    """
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
