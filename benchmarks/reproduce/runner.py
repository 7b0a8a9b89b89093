"""Does the runs of a table and records them."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from benchmarks.reproduce import store
from benchmarks.reproduce.display import Display, duration
from benchmarks.reproduce.estimate import Estimate
from benchmarks.reproduce.local_pool import Outcome
from benchmarks.reproduce.progress import Progress
from benchmarks.reproduce.run import Run
from benchmarks.reproduce.work import PREDICTIONS, RESULT, Job, write_result

#: How often in a row a run may be lost without an epoch done in between.
MAX_LOSSES = 3

#: The seconds between two looks at what is under way.
_INTERVAL = 0.2

#: For each run, the most epochs done when it was lost, and how often it was
#: lost since it was that far.
Losses = dict[tuple[str, str, int], tuple[int, int]]


class Pool(Protocol):
    """Where jobs run."""

    @property
    def free(self) -> int: ...

    @property
    def workers(self) -> int: ...

    @property
    def jobs(self) -> list[Job]: ...

    def submit(self, job: Job) -> None: ...

    def poll(self) -> list[Outcome]: ...

    def wait(self, seconds: float) -> None: ...

    def call(self, function: Callable[[], object]) -> None: ...

    def stop(self) -> None: ...


class Recorder:
    """Adds the results of a plan to a file, in the order of the plan.

    A result waits for those before it, so that the file is the same whatever
    ended first.

    Args:
        plan: The runs.
        path: The file.
        runs: The folder of all runs.
    """

    def __init__(self, plan: Sequence[Run], path: Path, runs: Path) -> None:
        self.plan = plan
        self.path = path
        self.runs = runs

    def is_there(self, run: Run) -> bool:
        """Whether the result of a run waits to be recorded.

        Args:
            run: The run.
        """
        return (run.folder(self.runs) / RESULT).exists()

    def missing(self) -> list[Run]:
        """The runs that are neither recorded nor wait to be."""
        known = {store.key_of(record) for record in store.read(self.path)}
        return [
            run
            for run in self.plan
            if run.key not in known and not self.is_there(run)
        ]

    def commit(self, gaps: bool = False) -> int:
        """Records what can be recorded.

        Args:
            gaps: Whether to go on after a run that is missing.
        """

        def make(known: set[store.Key]) -> list[store.Record]:
            new = []
            for run in self.plan:
                if run.key in known:
                    continue
                if self.is_there(run):
                    new.append(self._record(run))
                elif not gaps:
                    break
            return new

        return store.commit(self.path, make)

    def open_ensembles(self) -> list[list[Run]]:
        """The runs of each cell whose mean prediction is not recorded and can
        be made."""
        known = {store.key_of(record) for record in store.read(self.path)}
        cells: dict[str, list[Run]] = {}
        for run in self.plan:
            cells.setdefault(run.cell.name, []).append(run)
        return [
            runs
            for runs in cells.values()
            if len(runs) > 1
            and all(
                run.key in known
                and (run.folder(self.runs) / PREDICTIONS).exists()
                for run in runs
            )
            and (*runs[0].key[:2], tuple(run.seed for run in runs))
            not in known
        ]

    def commit_ensembles(self) -> int:
        """Records the mean prediction of each cell whose runs are there."""
        from benchmarks.reproduce.ensemble import ensemble

        new = []
        for runs in self.open_ensembles():
            path = runs[0].folder(self.runs) / RESULT
            metric = json.loads(path.read_text())['metric']
            new.append(ensemble(runs, metric, self.runs))
        return store.commit(self.path, lambda known: new)

    def adopt(self) -> None:
        """Takes over results of other tables: the same cell with the same
        settings is trained once."""
        others: dict[tuple[str, int], store.Record] = {}
        for path in sorted(self.path.parent.glob('*.jsonl')):
            if path != self.path:
                for record in store.read(path):
                    if record['kind'] != 'ensemble':
                        others[record['digest'], record['seed']] = record
        known = {store.key_of(record) for record in store.read(self.path)}
        for run in self.plan:
            record = others.get((run.digest, run.seed))
            if record is None or run.key in known or self.is_there(run):
                continue
            head = ('kind', 'dataset', 'row', 'seed', 'digest', 'settings')
            rest = {k: v for k, v in record.items() if k not in head}
            path = run.folder(self.runs) / RESULT
            write_result(path, rest)

    def _record(self, run: Run) -> store.Record:
        result = json.loads((run.folder(self.runs) / RESULT).read_text())
        cell = run.cell
        return {
            'kind': cell.kind,
            'dataset': cell.dataset,
            'row': cell.row,
            'seed': run.seed,
            'digest': run.digest,
            'settings': cell.settings,
            **result,
        }


def run_all(
    recorder: Recorder,
    pool: Pool,
    make_job: Callable[[Run], Job],
    display: Display,
    estimate: Estimate,
) -> list[Outcome]:
    """Does all runs that are missing.

    Args:
        recorder: What is there, and where to record.
        pool: Where they run.
        make_job: Makes the job of a run.
        display: Where to show how far it is.
        estimate: How long they take.

    Returns:
        Those that failed.
    """
    recorder.commit()
    waiting = deque(recorder.missing())
    total, failed = len(waiting), []
    losses: Losses = {}
    pause: dict[str, float] = {}
    while waiting or pool.jobs:
        for outcome in pool.poll():
            run = outcome.job.run
            if outcome.status == 'done':
                recorder.commit()
                rest = [(j.run, 0) for j in pool.jobs]
                rest += [(other, 0) for other in waiting]
                left = _time_left(rest, pool, estimate)
                display.say(f'{run}: done; time left: {duration(left)}')
            elif outcome.status == 'busy':
                pause[str(run)] = time.monotonic() + 1
                waiting.append(run)
            elif outcome.status == 'lost' and _may_retry(outcome, losses):
                display.say(f'{run}: {outcome.message}; it goes on')
                waiting.appendleft(run)
            else:
                display.say(f'{run}: failed: {outcome.message}')
                failed.append(outcome)
        for _ in range(len(waiting) if pool.free > 0 else 0):
            run = waiting.popleft()
            if pool.free > 0 and pause.get(str(run), 0) <= time.monotonic():
                pool.submit(make_job(run))
            else:
                waiting.append(run)
        running = [(j.run, _epochs(j, estimate)) for j in pool.jobs]
        rest = [*running, *((run, 0) for run in waiting)]
        seconds = _time_left(rest, pool, estimate)
        done = total - len(rest) - len(failed)
        display.update(running, len(waiting), done, seconds)
        pool.wait(_INTERVAL)
    recorder.commit(gaps=True)
    if recorder.open_ensembles():
        # Elsewhere, as it takes libraries that are not loaded here.
        pool.call(recorder.commit_ensembles)
    return failed


def _may_retry(outcome: Outcome, losses: Losses) -> bool:
    job = outcome.job
    epochs = Progress.read(job.folder).epochs
    before, count = losses.get(job.run.key, (-1, 0))
    # It may be less far than before: it went on from a checkpoint.
    count = 1 if epochs > before else count + 1
    losses[job.run.key] = max(epochs, before), count
    return count <= MAX_LOSSES


def _time_left(
    rest: Sequence[tuple[Run, int]], pool: Pool, estimate: Estimate
) -> float | None:
    seconds = estimate.total(rest)
    if seconds is None:
        return None
    return seconds / max(1, min(pool.workers, len(rest)))


def _epochs(job: Job, estimate: Estimate) -> int:
    progress = Progress.read(job.folder)
    if progress.epochs > 0:
        estimate.observe(job.run, progress.epochs, progress.seconds)
    return progress.epochs
