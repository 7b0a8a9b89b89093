"""The real command in real processes, on a few epochs of a small dataset."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.reliability.kill_check import is_alive, kill, start
from benchmarks.reproduce.display import Display
from benchmarks.reproduce.estimate import Estimate
from benchmarks.reproduce.job import Job
from benchmarks.reproduce.pools import Outcome, Pool
from benchmarks.reproduce.progress import Progress
from benchmarks.reproduce.recorder import Recorder
from benchmarks.reproduce.run import Run, plan
from benchmarks.reproduce.runner import run_all
from benchmarks.reproduce.tables import Cell
from benchmarks.reproduce.work import work

__all__ = [
    'SMALL',
    'InlinePool',
    'do_here',
    'finish',
    'is_alive',
    'kill',
    'progress',
    'read',
    'start',
    'wait_for',
]

#: The seconds to wait: a busy machine takes minutes for the imports alone.
PATIENCE = 900.0

SMALL = ('--cells', 'molfreesolv/tiny-gin')


def finish(process: subprocess.Popen[str], timeout: float = PATIENCE) -> str:
    """Waits until it ends, and gives back what it printed.

    Args:
        process: The command.
        timeout: The seconds to wait.
    """
    return process.communicate(timeout=timeout)[0]


def read(folder: Path, table: str = 'table2') -> list[dict[str, Any]]:
    """The results, without what differs from one time to the next.

    Args:
        folder: Where they are.
        table: The table.
    """
    path = folder / 'results' / f'{table}.jsonl'
    records = [json.loads(line) for line in path.read_text().splitlines()]
    for record in records:
        record.pop('measured', None)
        record.pop('command', None)
    return records


def do_here(
    folder: Path,
    root: Path,
    cells: Sequence[Cell],
    seeds: int,
    table: str = 'table2',
) -> None:
    """Does runs in this process, one after the other.

    Args:
        folder: Where they write.
        root: The folder of the datasets.
        cells: The cells.
        seeds: The number of seeds.
        table: The table.
    """
    path = folder / 'results' / f'{table}.jsonl'
    recorder = Recorder(plan(cells, range(seeds)), path, folder / 'runs')

    def make_job(run: Run) -> Job:
        return Job(run, root, folder / 'runs', '', accelerator='cpu')

    with Display(Console(quiet=True), 1) as display:
        pool, estimate = InlinePool(), Estimate([], root)
        assert not run_all(recorder, pool, make_job, display, estimate)


def progress(folder: Path) -> list[Progress]:
    """How far all runs are.

    Args:
        folder: Where they write.
    """
    paths = sorted((folder / 'runs').glob('*/*/progress.json'))
    return [Progress.read(path.parent) for path in paths]


def wait_for(folder: Path, epochs: int, timeout: float = PATIENCE) -> Progress:
    """Waits until the runs have done some epochs together.

    Args:
        folder: Where they write.
        epochs: The number of epochs.
        timeout: The seconds to wait.

    Returns:
        How far the first of them is.
    """
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        found = progress(folder)
        if sum(p.epochs for p in found) >= epochs:
            return found[0]
        time.sleep(0.02)
    raise TimeoutError(f'after {timeout} seconds at {progress(folder)}')


class InlinePool(Pool):
    """Does the runs one after the other in this process."""

    def __init__(self) -> None:
        super().__init__(1)
        self.outcomes: list[Outcome] = []

    def submit(self, job: Job) -> None:
        assert work(job)
        self.outcomes.append(Outcome(job, 'done'))

    def poll(self) -> list[Outcome]:
        ended, self.outcomes = self.outcomes, []
        return ended

    def wait(self, seconds: float) -> None:
        pass  # What was submitted is done.

    def call(self, function: Callable[[], object]) -> None:
        function()

    def stop(self) -> None:
        pass
