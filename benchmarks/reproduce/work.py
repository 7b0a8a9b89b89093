"""The work of a process: one run, from where it stopped."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.common.record import provenance
from benchmarks.reproduce import kinds
from benchmarks.reproduce.job import (
    LOG,
    RESULT,
    SETTINGS,
    Job,
    read_object,
    write_object,
)


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
        if read_object(job.folder / RESULT) is None:
            _do(job)
    return True


def _do(job: Job) -> None:
    # What a checkpoint is written to first must be on the same disk, so that
    # it replaces the one before in one step.
    temporary = job.folder / 'tmp'
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    cell = job.run.cell
    identity = {'cell': cell.name, 'seed': job.run.seed}
    settings = {**identity, 'settings': cell.settings}
    write_object(job.folder / SETTINGS, settings)
    with _logged(job.folder / LOG), _temporary(temporary):
        # Here, as the process that starts the workers does without them.
        import torch

        from benchmarks.common.memory import keep_freed_memory

        keep_freed_memory()
        torch.set_num_threads(job.threads)
        result = kinds.train(job)
    record = provenance()
    record['command'] = job.command
    write_object(job.folder / RESULT, {**result, **record})
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
