"""Pools that run jobs: processes of this machine, or tasks of Ray."""

from __future__ import annotations

import os
from collections.abc import Sequence

from benchmarks.reproduce.pools.pool import Outcome, Pool

__all__ = ['Outcome', 'Pool', 'make_pool']


def make_pool(
    ray: str | None,
    workers: int | None,
    threads: int,
    kinds: Sequence[str] = (),
) -> Pool:
    """Makes a pool.

    Args:
        ray: The address of a Ray cluster, if runs are its tasks.
        workers: How many runs there are at a time. (default: as many as
            there are processors for)
        threads: The number of threads of each.
        kinds: The kinds of cells, to make ready for.
    """
    if ray is not None:
        from benchmarks.reproduce.pools.ray_pool import RayPool

        return RayPool(ray, workers, threads)
    from benchmarks.reproduce.pools.local_pool import LocalPool

    processors = len(os.sched_getaffinity(0))
    workers = workers or max(1, processors // threads)
    return LocalPool(workers, threads, kinds)
