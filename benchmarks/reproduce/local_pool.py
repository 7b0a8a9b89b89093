"""Runs in processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess

from benchmarks.reproduce.work import BUSY, LOG, Job, work_in_process


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Args:
        job: The job.
        status: ``done``; ``busy``: another process does it; ``lost``: its
            process ended before it did; ``failed``: it raised an error.
        message: Why, where it did not work.
    """

    job: Job
    status: str
    message: str = ''


class LocalPool:
    """One process per run. They are forked from one that has imported what
    they need, so that a run starts at once.

    Args:
        workers: How many run at a time.
        threads: The number of threads of each.
    """

    def __init__(self, workers: int, threads: int) -> None:
        self.workers = workers
        self._running: dict[int, tuple[BaseProcess, Job]] = {}
        os.environ['OMP_NUM_THREADS'] = str(threads)
        os.environ['MKL_NUM_THREADS'] = str(threads)
        self._context = multiprocessing.get_context('forkserver')
        self._context.set_forkserver_preload(
            [
                'benchmarks.reproduce.network',
                'benchmarks.reproduce.fingerprint',
            ]
        )

    @property
    def free(self) -> int:
        """How many more can be started."""
        return self.workers - len(self._running)

    @property
    def jobs(self) -> list[Job]:
        """What is under way."""
        return [job for _, job in self._running.values()]

    def submit(self, job: Job) -> None:
        """Starts a job.

        Args:
            job: The job.
        """
        slot = min(set(range(self.workers)) - set(self._running))
        process = self._context.Process(
            target=work_in_process, args=(job, slot)
        )
        process.start()
        self._running[slot] = process, job

    def poll(self) -> list[Outcome]:
        """The jobs that ended since the last call."""
        ended = []
        for slot, (process, job) in list(self._running.items()):
            if process.exitcode is None:
                continue
            process.join()
            del self._running[slot]
            ended.append(_outcome(job, process.exitcode))
        return ended

    def call(self, function: Callable[[], object]) -> None:
        """Calls a function in a process and waits for it.

        Args:
            function: The function.

        Raises:
            RuntimeError: If it fails.
        """
        process = self._context.Process(target=function)
        process.start()
        process.join()
        if process.exitcode:
            raise RuntimeError(f'a process ended with {process.exitcode}')

    def stop(self) -> None:
        """Ends all processes. Nothing is lost but the epoch under way."""
        for process, _ in self._running.values():
            process.kill()
        for process, _ in self._running.values():
            process.join()
        self._running.clear()


def _outcome(job: Job, code: int) -> Outcome:
    if code == 0:
        return Outcome(job, 'done')
    if code == BUSY:
        return Outcome(job, 'busy')
    if code < 0:
        name = signal.Signals(-code).name
        return Outcome(job, 'lost', f'its process ended by {name}')
    log = job.folder / LOG
    lines = log.read_text().strip().splitlines() if log.exists() else []
    last = lines[-1] if lines else f'status {code}'
    return Outcome(job, 'failed', f'{last} (all of it: {log})')
