"""A search by Ray Tune, with Optuna's sampler."""

from __future__ import annotations

import logging
import math
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from gmoe.training.tuning.cluster import Resources, cluster
from gmoe.training.tuning.study import Study
from gmoe.training.tuning.trial import Trial
from gmoe.training.tuning.work import Fit, Job, work

#: How often Ray starts a trial again whose process was lost.
_RETRIES = 3
_LOST = 'its process was lost, several times'
_GIB = 1 << 30


class StoppedError(RuntimeError):
    """A search that a signal stopped.

    Args:
        number: The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f'stopped by {signal.Signals(number).name}')
        self.number = number


def search(
    study: Study,
    trials: int,
    job: Job,
    fit: Fit,
    resources: Resources,
    grace: int | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Runs trials until a study has as many as are asked for.

    A trial that fails by itself counts as one of them. One whose process is
    lost, with its machine for example, goes on from its last epoch elsewhere.

    Args:
        study: The study.
        trials: How many trials it is to have.
        job: What trials have in common.
        fit: Runs ``gmoe fit`` with some arguments.
        resources: Where trials run, and what each has.
        grace: With this, trials that are worse than two thirds of the others
            after as many epochs, or three, nine, … times as many, are stopped
            (ASHA). (default: none is)
        say: Is given a line for each trial that is over.

    Raises:
        ImportError: If Ray or Optuna is not installed.
        StoppedError: If SIGINT or SIGTERM stopped it.
        ValueError: If an argument is out of range.
    """
    remaining = trials - len(study.over)
    if remaining <= 0:
        return
    with cluster(resources) as workers, _signals() as stopped:
        from ray import tune
        from ray.tune.schedulers import ASHAScheduler

        needs: dict[str, float] = {'cpu': resources.cores}
        if resources.gpus:
            needs['gpu'] = resources.gpus
        if resources.memory:
            needs['memory'] = resources.memory * _GIB
        scratch = study.path / 'ray'
        shutil.rmtree(scratch, ignore_errors=True)
        names = _Names(study)
        scheduler = grace and ASHAScheduler(
            time_attr='epochs',
            max_t=1_000_000,
            grace_period=grace,
            reduction_factor=3,
        )
        tuner = tune.Tuner(
            tune.with_resources(
                tune.with_parameters(
                    _trainable, job=job, space=study.space, fit=fit
                ),
                needs,
            ),
            tune_config=tune.TuneConfig(
                metric='score',
                mode=study.mode,
                search_alg=_sampler(study),
                scheduler=scheduler or None,
                num_samples=remaining,
                max_concurrent_trials=min(workers, remaining),
                trial_name_creator=names,
                trial_dirname_creator=str,
                # A process whose trial was stopped cannot take another one.
                reuse_actors=grace is None,
            ),
            run_config=tune.RunConfig(
                name='search',
                storage_path=str(scratch.absolute()),
                callbacks=[_watcher(study, trials, say)],
                failure_config=tune.FailureConfig(max_failures=_RETRIES),
                verbose=0,
            ),
        )
        tuner.fit()
        shutil.rmtree(scratch, ignore_errors=True)
    # Ray Tune returns after SIGINT, too.
    if len(study.over) < trials:
        raise StoppedError(stopped[0] if stopped else signal.SIGINT)


class _Names:
    """Names trials as those of the study that they are."""

    def __init__(self, study: Study) -> None:
        self.study = study

    def __deepcopy__(self, memo: Any) -> _Names:
        return self  # Ray copies its settings for each trial.

    def __call__(self, trial: Any) -> str:
        return self.study.begin(trial.config).name


def _sampler(study: Study) -> Any:
    import optuna
    from ray.tune.search.optuna import OptunaSearch

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    # What it says of trials is in the table.
    logging.getLogger('ray.tune').setLevel(logging.CRITICAL)
    # From one seed, another one for each part of a search that was stopped.
    numbers = np.random.SeedSequence([study.seed, len(study.over)])
    sampler = OptunaSearch(
        space=study.space.distributions(),
        metric='score',
        mode=study.mode,
        points_to_evaluate=study.waiting(),
        seed=int(numbers.generate_state(1)[0]),
    )
    for trial in study.over:
        is_failed = trial.score is None
        score = math.nan if trial.score is None else trial.score
        sampler.add_evaluated_point(trial.point, score, error=is_failed)
    return sampler


def _trainable(config: dict[str, Any], job: Job, space: Any, fit: Fit) -> None:
    from ray import tune

    name = tune.get_context().get_trial_name()
    settings = space.settings(config)
    outcome = work(job, name, settings, fit, tune.report)
    # A trial that has failed by itself is no loss that Ray should repeat.
    nothing = {'score': math.nan, 'epochs': 0}
    tune.report({**nothing, **outcome, 'is_whole': True})


def _watcher(study: Study, total: int, say: Callable[[str], None]) -> Any:
    """A callback that keeps each trial that is over, and says so."""
    from ray import tune

    class Watcher(tune.Callback):
        def on_trial_complete(
            self, iteration: int, trials: Any, trial: Any, **info: Any
        ) -> None:
            result = trial.last_result or {}
            status = 'done' if result.get('is_whole') else 'stopped'
            reason = result.get('reason', '')
            self._end(trial, 'failed' if reason else status, reason)

        def on_trial_error(
            self, iteration: int, trials: Any, trial: Any, **info: Any
        ) -> None:
            self._end(trial, 'failed', _LOST)

        def _end(self, trial: Any, status: str, reason: str) -> None:
            known = next(t for t in study.trials if t.name == str(trial))
            result = trial.last_result or {}
            known.status = status
            known.epochs = int(result.get('epochs') or 0)
            known.reason = reason
            if status != 'failed':
                known.score = float(result['score'])
            study.end(known)
            say(_line(study, known, total))

    return Watcher()


def _line(study: Study, trial: Trial, total: int) -> str:
    count = f'{len(study.over)} of {total} trials'
    if trial.status == 'failed':
        return f'{count}: {trial.name} failed: {trial.reason}'
    assert study.best is not None
    score = f'{study.monitor} {trial.score:.6g}'
    early = f' (stopped after {trial.epochs} epochs)'
    return (
        f'{count}: {trial.name} {score}'
        f'{early if trial.status == "stopped" else ""}, best '
        f'{study.best.score:.6g} of {study.best.name}'
    )


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Lets SIGTERM end a search as SIGINT does, which Ray Tune handles; and
    notes which of them came."""
    stopped: list[int] = []

    def note(number: int, frame: Any) -> None:
        stopped.append(number)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGTERM, note)
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGTERM, before)
