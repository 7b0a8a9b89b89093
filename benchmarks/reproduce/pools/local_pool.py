"""Runs in processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing import connection
from multiprocessing.process import BaseProcess

from benchmarks.reproduce.job import LOG, Job
from benchmarks.reproduce.pools.pool import Outcome, Pool
from benchmarks.reproduce.pools.variables import (
    variables_set,
    worker_variables,
)
from benchmarks.reproduce.work import work

#: The exit status of a process whose run another one is at work on.
_BUSY = 75

#: The exit status that is seen of a process whose server was lost.
_NO_SERVER = 255

#: How often a process is asked for of a server that is about to end.
_TRIES = 20


class LocalPool(Pool):
    """One process per run. They are forked from one that has imported what
    they need, so that a run starts at once.

    Args:
        workers: How many run at a time.
        threads: The number of threads of each.
        kinds: The kinds of cells, to make ready for.
    """

    def __init__(
        self, workers: int, threads: int, kinds: Sequence[str] = ()
    ) -> None:
        super().__init__(workers)
        self._variables = worker_variables(threads)
        self._context = multiprocessing.get_context('forkserver')
        self._context.set_forkserver_preload(
            [
                *(f'benchmarks.reproduce.kinds.{kind}' for kind in kinds),
                'benchmarks.reproduce.pools.preload',
            ]
        )

    def submit(self, job: Job) -> None:
        slot = min(
            set(range(self.workers)) - {slot for slot, _ in self.running}
        )
        self.running[slot, self._start(_work, job, slot)] = job

    def poll(self) -> list[Outcome]:
        ended = []
        for key in list(self.running):
            process = key[1]
            if process.exitcode is not None:
                process.join()
                ended.append(_outcome(self.running.pop(key), process.exitcode))
        return ended

    def wait(self, seconds: float) -> None:
        if self.running:
            sentinels = [process.sentinel for _, process in self.running]
            connection.wait(sentinels, seconds)
        else:
            time.sleep(seconds)

    def call(self, function: Callable[[], object]) -> None:
        process = self._start(function)
        process.join()
        if process.exitcode:
            raise RuntimeError(f'a process ended with {process.exitcode}')

    def stop(self) -> None:
        for _, process in self.running:
            process.kill()
        for _, process in self.running:
            process.join()
        self.running.clear()

    def _start(
        self, function: Callable[..., object], *arguments: object
    ) -> BaseProcess:
        tries = 0
        while True:
            process = self._context.Process(target=function, args=arguments)
            try:
                # It starts the server, too, which they are forked from.
                with variables_set(self._variables):
                    process.start()
                return process
            except (EOFError, ConnectionError):
                # The server is lost, but still there: the next one is new.
                tries += 1
                if tries == _TRIES:
                    raise
                time.sleep(0.5)


def _work(job: Job, slot: int) -> None:
    """Does a run in a process of its own, forked by a server of processes.
    It ends with the runner that asked for it, and with that server.
    Those that run at a time share the GPUs by their slots.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent decides.
    threading.Thread(
        target=_end_with_others, args=(os.getppid(),), daemon=True
    ).start()
    _choose_gpu(slot)
    if not work(job):
        sys.exit(_BUSY)


def _outcome(job: Job, code: int) -> Outcome:
    if code == 0:
        return Outcome(job, 'done')
    if code == _BUSY:
        return Outcome(job, 'busy')
    if code == _NO_SERVER:
        return Outcome(job, 'lost', 'the server of processes ended')
    if code < 0:
        name = signal.Signals(-code).name
        return Outcome(job, 'lost', f'its process ended by {name}')
    log = job.folder / LOG
    lines = log.read_text().strip().splitlines() if log.exists() else []
    last = lines[-1] if lines else f'status {code}'
    return Outcome(job, 'failed', f'{last} (all of it: {log})')


def _choose_gpu(slot: int) -> None:
    import torch

    count = torch.cuda.device_count()
    if count > 1:
        visible = os.environ.get('CUDA_VISIBLE_DEVICES')
        names = visible.split(',') if visible else list(map(str, range(count)))
        os.environ['CUDA_VISIBLE_DEVICES'] = names[slot % count]


def _end_with_others(server: int) -> None:
    runner = multiprocessing.parent_process()
    assert runner is not None
    while os.getppid() == server:
        if connection.wait([runner.sentinel], timeout=0.5):
            break
    os._exit(1)
