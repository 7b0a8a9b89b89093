"""The kinds of cells, each a module with a function ``train``.

They are imported when they are needed: most take seconds.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from benchmarks.reproduce.job import Job


def train(job: Job) -> dict[str, Any]:
    """Does a run from where it stopped.

    Returns:
        Its result, as plain values.
    """
    kind = import_module(f'{__name__}.{job.run.cell.kind}')
    return kind.train(job)
