"""What a worker process does: one run, from where it stopped."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path
from typing import Any

from benchmarks.common.record import provenance, replace_text
from benchmarks.reproduce.run import Run

RESULT = 'result.json'
SETTINGS = 'settings.json'
PREDICTIONS = 'predictions.npz'
LOG = 'log.txt'

#: The exit status of a worker whose run another process is at work on.
BUSY = 75


@dataclass(frozen=True)
class Job:
    """A run, and where and how to do it.

    Args:
        run: The run.
        root: The folder of the datasets.
        runs: The folder of all runs.
        command: The command that asked for it.
        threads: The number of threads.
        accelerator: The kind of device, as Lightning names it.
        save_seconds: The least number of seconds between two checkpoints.
    """

    run: Run
    root: Path
    runs: Path
    command: str
    threads: int = 1
    accelerator: str = 'auto'
    save_seconds: float = 0.0

    @property
    def folder(self) -> Path:
        """The folder of the run."""
        return self.run.folder(self.runs)

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoint, which goes when the run is done."""
        return self.folder / 'checkpoints'


def work(job: Job, patience: float = 0.0) -> bool:
    """Does a run, unless its result is there or another process does it.

    Args:
        job: The run.
        patience: The seconds to wait for that process to end.

    Returns:
        Whether its result is there.
    """
    job.folder.mkdir(parents=True, exist_ok=True)
    with _lock(job.folder / 'lock', patience) as is_mine:
        if not is_mine:
            return False
        if read_result(job.folder) is None:
            _do(job)
    return True


def work_in_process(job: Job, slot: int) -> None:
    """Does a run in a process of its own, forked by a server of processes.
    It ends with the runner that asked for it, and with that server.

    Args:
        job: The run.
        slot: Its number among those that run at a time, which share the
            GPUs.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent decides.
    threading.Thread(
        target=_end_with_others, args=(os.getppid(),), daemon=True
    ).start()
    _choose_gpu(slot)
    if not work(job):
        sys.exit(BUSY)


def write_result(path: Path, result: dict[str, Any]) -> None:
    """Writes a result, whole or not at all.

    Args:
        path: The file.
        result: The result, as plain values.
    """
    replace_text(path, json.dumps(result, allow_nan=False))


def read_result(folder: Path) -> dict[str, Any] | None:
    """The result of a run, :obj:`None` if there is none, or none that can be
    read, as when the machine went down while it was written.

    Args:
        folder: The folder of the run.
    """
    try:
        result = json.loads((folder / RESULT).read_bytes())
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    return result if isinstance(result, dict) and result else None


def _do(job: Job) -> None:
    # What a checkpoint is written to first must be on the same disk, so that
    # it replaces the one before in one step.
    temporary = job.folder / 'tmp'
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    cell = job.run.cell
    identity = {'cell': cell.name, 'seed': job.run.seed}
    settings = {**identity, 'settings': cell.settings}
    write_result(job.folder / SETTINGS, settings)
    with _logged(job.folder / LOG), _temporary(temporary):
        # Here, as the process that starts the workers does without them.
        import torch

        from benchmarks.common.memory import keep_freed_memory
        from benchmarks.reproduce import fingerprint, network

        keep_freed_memory()
        torch.set_num_threads(job.threads)
        train = {'network': network.train, 'forest': fingerprint.train}
        result = train[job.run.cell.kind](job)
    record = provenance()
    record['command'] = job.command
    write_result(job.folder / RESULT, {**result, **record})
    for path in (temporary, job.checkpoints):
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _lock(path: Path, patience: float) -> Iterator[bool]:
    # The lock goes with the process, however it ends.
    end = time.monotonic() + patience
    with path.open('w') as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                if time.monotonic() >= end:
                    yield False
                    return
                time.sleep(0.2)
            else:
                yield True
                return


@contextmanager
def _temporary(folder: Path) -> Iterator[None]:
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


@contextmanager
def _logged(path: Path) -> Iterator[None]:
    # All output, that of libraries in C++ too.
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    with path.open('a') as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, saved in enumerate(kept, start=1):
            os.dup2(saved, number)
            os.close(saved)


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
