"""Does the runs of a table."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

from benchmarks.reproduce.display import Display, duration
from benchmarks.reproduce.estimate import Estimate
from benchmarks.reproduce.job import Job
from benchmarks.reproduce.pools import Outcome, Pool
from benchmarks.reproduce.progress import Progress
from benchmarks.reproduce.recorder import Recorder
from benchmarks.reproduce.run import Run
from benchmarks.reproduce.store import Key

#: How often in a row a run may be lost without an epoch done in between.
MAX_LOSSES = 3

#: The seconds between two looks at what is under way.
_INTERVAL = 0.2


class Queue:
    """The runs that wait, and those that failed.

    Args:
        runs: The runs.
        display: Where to say what became of them.
    """

    def __init__(self, runs: Sequence[Run], display: Display) -> None:
        self.waiting = deque(runs)
        self.failed: list[Outcome] = []
        self._display = display
        # Those that another process does are looked at again later.
        self._pause: dict[Key, float] = {}
        # The most epochs done when a run was lost, and how often it was lost
        # since it was that far.
        self._losses: dict[Key, tuple[int, int]] = {}

    def is_done(self, outcome: Outcome) -> bool:
        """Whether a job is done; if it is not, it waits again or failed.

        Args:
            outcome: How the job ended.
        """
        run = outcome.job.run
        if outcome.status == 'busy':
            self._pause[run.key] = time.monotonic() + 1
            self.waiting.append(run)
        elif outcome.status == 'lost' and self.may_retry(outcome.job):
            self._display.say(f'{run}: {outcome.message}; it goes on')
            self.waiting.appendleft(run)
        elif outcome.status != 'done':
            self._display.say(f'{run}: failed: {outcome.message}')
            self.failed.append(outcome)
        return outcome.status == 'done'

    def start(self, pool: Pool, make_job: Callable[[Run], Job]) -> None:
        """Starts as many as there is room for.

        Args:
            pool: Where they run.
            make_job: Makes the job of a run.
        """
        for _ in range(len(self.waiting) if pool.free > 0 else 0):
            run = self.waiting.popleft()
            is_due = self._pause.get(run.key, 0) <= time.monotonic()
            if pool.free > 0 and is_due:
                pool.submit(make_job(run))
            else:
                self.waiting.append(run)

    def may_retry(self, job: Job) -> bool:
        """Whether a job that was lost is to be tried again."""
        epochs = Progress.read(job.folder).epochs
        before, count = self._losses.get(job.run.key, (-1, 0))
        # It may be less far than before: it went on from a checkpoint.
        count = 1 if epochs > before else count + 1
        self._losses[job.run.key] = max(epochs, before), count
        return count <= MAX_LOSSES


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
    queue = Queue(recorder.missing(), display)
    total = len(queue.waiting)
    while queue.waiting or pool.running:
        outcomes = pool.poll()
        finished = [o.job.run for o in outcomes if queue.is_done(o)]
        queue.start(pool, make_job)
        if finished:  # While the next ones run already.
            recorder.commit()
        jobs = pool.running.values()
        running = [(job.run, _epochs(job, estimate)) for job in jobs]
        rest = [*running, *((run, 0) for run in queue.waiting)]
        seconds = _time_left(rest, pool, estimate)
        for run in finished:
            display.say(f'{run}: done; time left: {duration(seconds)}')
        done = total - len(rest) - len(queue.failed)
        display.update(running, len(queue.waiting), done, seconds)
        pool.wait(_INTERVAL)
    recorder.commit(gaps=True)
    if recorder.open_ensembles():
        # Elsewhere, as it takes libraries that are not loaded here.
        pool.call(recorder.commit_ensembles)
    # After those of own runs, which may be others than another table's.
    recorder.adopt_ensembles()
    return queue.failed


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
