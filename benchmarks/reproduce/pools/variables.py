"""The environment variables of the processes that runs are in."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


def worker_variables(threads: int) -> dict[str, str]:
    """The variables of a run that may be on any machine."""
    return {
        'OMP_NUM_THREADS': str(threads),
        'MKL_NUM_THREADS': str(threads),
        # NumPy's, which starts its threads on import: before a fork.
        'OPENBLAS_NUM_THREADS': '1',
        # That of pyarrow, which pandas imports where it is installed, does so.
        'JE_ARROW_MALLOC_CONF': 'background_thread:false',
    }


@contextmanager
def variables_set(variables: Mapping[str, str]) -> Iterator[None]:
    """Sets variables for the processes that are started meanwhile."""
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
