"""Runs as tasks of a Ray cluster.

All machines must see the checkout, the data and the folder of the runs at the
same place, as checkpoints are what a lost task goes on from.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from typing import Any

from benchmarks.common.record import ROOT
from benchmarks.reproduce.job import Job
from benchmarks.reproduce.pools.pool import Outcome, Pool
from benchmarks.reproduce.pools.variables import worker_variables
from benchmarks.reproduce.work import work

#: The seconds that a task waits for the one that it replaces to end.
_PATIENCE = 60.0

#: How often Ray itself starts a task again whose worker was lost.
_RETRIES = 3


class RayPool(Pool):
    """One task per run.

    Args:
        address: The address of the cluster, ``auto``, or ``local`` for one
            that is started here.
        workers: How many tasks there are at a time. (default: as many as the
            cluster has processors for)
        threads: The number of threads of each.

    Raises:
        ImportError: If Ray is not installed.
    """

    def __init__(
        self, address: str, workers: int | None, threads: int
    ) -> None:
        try:
            import ray
        except ImportError as error:
            raise ImportError(
                "'ray' needs Ray: pip install 'gmoe[cluster]'"
            ) from error
        self._ray = ray
        path = os.pathsep.join(
            filter(None, [str(ROOT), os.environ.get('PYTHONPATH')])
        )
        ray.init(
            address=address,
            include_dashboard=False,
            log_to_driver=False,
            runtime_env={
                'env_vars': {
                    **worker_variables(threads),
                    'PYTHONPATH': path,
                }
            },
            **({'num_cpus': workers} if address == 'local' else {}),
        )
        resources = ray.cluster_resources()
        processors = int(resources.get('CPU', 1))
        super().__init__(workers or max(1, processors // threads))
        gpus = resources.get('GPU', 0)
        share = 0.0
        if gpus:
            # Several tasks share a GPU where there are more of them.
            share = min(1.0, gpus / self.workers)
            share = max(0.01, math.floor(share * 100) / 100)
        self._task = ray.remote(
            num_cpus=threads, num_gpus=share, max_retries=_RETRIES
        )(_work)

    def submit(self, job: Job) -> None:
        self.running[self._task.remote(job)] = job

    def poll(self) -> list[Outcome]:
        if not self.running:
            return []
        ready, _ = self._ray.wait(
            list(self.running), num_returns=len(self.running), timeout=0
        )
        return [self._outcome(task) for task in ready]

    def wait(self, seconds: float) -> None:
        if self.running:
            self._ray.wait(list(self.running), timeout=seconds)
        else:
            time.sleep(seconds)

    def call(self, function: Callable[[], object]) -> None:
        self._ray.get(self._ray.remote(_call).remote(function))

    def stop(self) -> None:
        for task in self.running:
            self._ray.cancel(task, force=True)
        self.running.clear()
        self._ray.shutdown()

    def _outcome(self, task: Any) -> Outcome:
        job = self.running.pop(task)
        errors = self._ray.exceptions
        try:
            is_done = self._ray.get(task)
        except (errors.WorkerCrashedError, errors.NodeDiedError) as error:
            return Outcome(job, 'lost', _last_line(error))
        except errors.RayError as error:
            return Outcome(job, 'failed', _last_line(error))
        return Outcome(job, 'done' if is_done else 'busy')


def _work(job: Job) -> bool:
    return work(job, _PATIENCE)


def _call(function: Callable[[], object]) -> None:
    function()


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1]
