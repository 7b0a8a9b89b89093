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

#: How often in a row a run may be lost without an epoch done in between.
MAX_LOSSES = 3

#: The seconds between two looks at what is under way.
_INTERVAL = 0.2

#: For each run, the most epochs done when it was lost, and how often it was
#: lost since it was that far.
Losses = dict[tuple[str, str, int], tuple[int, int]]


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
    while waiting or pool.running:
        finished = []
        for outcome in pool.poll():
            run = outcome.job.run
            if outcome.status == 'done':
                finished.append(run)
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
        if finished:  # While the next ones run already.
            recorder.commit()
        jobs = pool.running.values()
        running = [(job.run, _epochs(job, estimate)) for job in jobs]
        rest = [*running, *((run, 0) for run in waiting)]
        seconds = _time_left(rest, pool, estimate)
        for run in finished:
            display.say(f'{run}: done; time left: {duration(seconds)}')
        done = total - len(rest) - len(failed)
        display.update(running, len(waiting), done, seconds)
        pool.wait(_INTERVAL)
    recorder.commit(gaps=True)
    if recorder.open_ensembles():
        # Elsewhere, as it takes libraries that are not loaded here.
        pool.call(recorder.commit_ensembles)
    # After those of own runs, which may be others than another table's.
    recorder.adopt_ensembles()
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
