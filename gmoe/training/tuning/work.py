"""The work of a process of a search: one trial, from where it stopped."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from lightning.pytorch import Callback, LightningModule, Trainer

from gmoe.common.files import replace_text
from gmoe.common.shown import one_line
from gmoe.training.callbacks import BestCheckpoint

#: Runs a command of gmoe, and returns what has its ``trainer``.
Fit = Callable[[list[str]], Any]
Report = Callable[[dict[str, Any]], Any]

_OUTCOME = 'outcome.json'
_ERROR = 'error.txt'
#: The seconds that a trial waits for an earlier process of it to end.
_PATIENCE = 60.0
#: Who reports the epochs of the trial that this process is at.
_REPORT: list[Report] = []


@dataclass(frozen=True)
class Job:
    """What the trials of a search have in common.

    Args:
        arguments: The arguments of ``fit`` that are not chosen.
        trials: The folder of all trials.
        folder: The folder that paths in the arguments are relative to.
        threads: The number of threads of a trial.
        by_epoch: Whether a trial reports each epoch, not only its end.
    """

    arguments: tuple[str, ...]
    trials: Path
    folder: Path
    threads: int = 1
    by_epoch: bool = False


class EpochReport(Callback):
    """Reports the best score so far after each epoch, once its checkpoints
    are there."""

    def on_train_epoch_start(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> None:
        score = best_score(trainer)
        if trainer.current_epoch > 0 and score is not None:
            for report in _REPORT:
                report({'score': score, 'epochs': trainer.current_epoch})


def best_score(trainer: Trainer) -> float | None:
    """The best score on validation, if it was ever defined.

    Args:
        trainer: The trainer.
    """
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, BestCheckpoint):
            score = callback.best_model_score
            if score is not None and bool(score.isfinite()):
                return float(score)
    return None


def work(
    job: Job,
    name: str,
    settings: dict[str, Any],
    fit: Fit,
    report: Report,
) -> dict[str, Any]:
    """Does a trial, unless its outcome is there.

    Args:
        job: What all trials have in common.
        name: The trial.
        settings: Its settings, by their names.
        fit: Runs ``gmoe fit``.
        report: Is given the outcome of epochs.

    Returns:
        Its outcome: ``score`` and ``epochs``, or the ``reason`` why it failed
        and would again.
    """
    path = job.trials / name
    path.mkdir(parents=True, exist_ok=True)
    outcome = path / _OUTCOME
    os.chdir(job.folder)
    # The process of a search that was killed may take a while to end.
    with FileLock(path / 'lock', _PATIENCE):
        if not outcome.exists():
            torch.set_num_threads(job.threads)
            _REPORT[:] = [report]
            found = _outcome(fit, _arguments(job, path, settings), path)
            replace_text(outcome, json.dumps(found) + '\n')
        return json.loads(outcome.read_text())


def _arguments(job: Job, path: Path, settings: dict[str, Any]) -> list[str]:
    """The command line of a trial, which has one run, that goes on if there
    is a part of it."""
    arguments = ['fit', *job.arguments, f'--run_dir={path}']
    arguments += as_options(settings)
    last = path / 'version_0' / 'checkpoints' / 'last.ckpt'
    if last.exists():
        arguments.append(f'--ckpt_path={last}')
    else:
        shutil.rmtree(path / 'version_0', ignore_errors=True)
    if job.by_epoch:
        kind = f'{EpochReport.__module__}.{EpochReport.__name__}'
        arguments.append(f'--trainer.callbacks+={kind}')
    return arguments


def _outcome(fit: Fit, arguments: list[str], path: Path) -> dict[str, Any]:
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            trainer = fit(arguments).trainer
    except (Exception, SystemExit) as error:
        is_exit = isinstance(error, SystemExit)
        reason = said.getvalue().strip() if is_exit else str(error)
        replace_text(path / _ERROR, said.getvalue() + traceback.format_exc())
        reason = one_line(reason, 300) or type(error).__name__
        return {'reason': reason}
    score = best_score(trainer)
    if score is None:
        return {'reason': 'its score is not defined on validation'}
    return {'score': score, 'epochs': trainer.current_epoch}


def as_options(settings: dict[str, Any]) -> list[str]:
    """Settings as options of the command line.

    Args:
        settings: Values by their names.
    """
    return [
        f'--{name}={v if isinstance(v, str) else json.dumps(v)}'
        for name, v in settings.items()
    ]
