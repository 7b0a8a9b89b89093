"""Where jobs run: processes of this machine, or tasks of a Ray cluster."""

from __future__ import annotations

import os

from benchmarks.reproduce.pools.pool import Outcome, Pool

__all__ = ['Outcome', 'Pool', 'make_pool']


def make_pool(ray: str | None, workers: int | None, threads: int) -> Pool:
    """Makes a pool.

    Args:
        ray: The address of a Ray cluster, if runs are its tasks.
        workers: How many runs there are at a time. (default: as many as
            there are processors for)
        threads: The number of threads of each.
    """
    if ray is not None:
        from benchmarks.reproduce.pools.ray_pool import RayPool

        return RayPool(ray, workers, threads)
    from benchmarks.reproduce.pools.local_pool import LocalPool

    processors = len(os.sched_getaffinity(0))
    return LocalPool(workers or max(1, processors // threads), threads)
