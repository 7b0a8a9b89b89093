"""Trains a run with Lightning, from its last checkpoint or the start."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from lightning.pytorch import LightningDataModule, LightningModule, Trainer

from benchmarks.reproduce.job import Job
from benchmarks.reproduce.kinds.run_log import EpochLog, RunLog
from benchmarks.reproduce.store import finite
from gmoe.training import EpochSeed, LastCheckpoint
from gmoe.training.callbacks import AveragedWeights


def make_trainer(job: Job, log: EpochLog, **kwargs: Any) -> Trainer:
    """Makes the trainer of a run from its settings: to parse a command line
    takes as long as some epochs of a small dataset.

    Args:
        job: The run.
        log: What keeps its epochs.
        **kwargs: More arguments of Lightning's trainer.
    """
    return Trainer(
        accelerator=job.accelerator,
        devices=1,
        max_epochs=job.run.cell.settings['epochs'],
        callbacks=[
            EpochSeed(job.run.seed),
            log,
            *_averaging(job),
            LastCheckpoint(job.checkpoints, job.save_seconds),
        ],
        default_root_dir=job.folder,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        **kwargs,
    )


def _averaging(job: Job) -> list[AveragedWeights]:
    arguments = job.run.cell.settings.get('averaging')
    return [] if arguments is None else [AveragedWeights(**arguments)]


def fit(
    job: Job,
    trainer: Trainer,
    model: LightningModule,
    data: LightningDataModule,
) -> None:
    """Trains a run.

    Args:
        job: The run.
        trainer: What trains it.
        model: The network.
        data: Its data.
    """
    last = job.checkpoints / 'last.ckpt'
    trainer.fit(
        model,
        data,
        ckpt_path=last if is_whole(last) else None,
        weights_only=True,
    )


def result(
    model: LightningModule, data: Any, log: RunLog, test: float | None
) -> dict[str, Any]:
    """What is kept of a run, of the epoch that is best on validation.

    Args:
        model: The network.
        data: Its data.
        log: What has kept its epochs.
        test: Its score on the test split, if it has one.
    """
    epoch = log.best['epoch']
    return {
        'metric': data.eval_metric,
        'valid': log.curve['valid'][epoch],
        'test': test,
        'best_epoch': epoch,
        'expert_usage': log.best.get('usage'),
        'num_parameters': sum(p.numel() for p in model.parameters()),
        'curve': log.curve,
        'measured': log.measured(),
    }


def tested(
    trainer: Trainer, model: LightningModule, data: Any, log: RunLog
) -> dict[str, Any]:
    """The same where the test split is scored once, with the weights of that
    epoch, which the network is given.

    Args:
        trainer: What has trained the run.
        model: The network.
        data: Its data.
        log: What has kept its epochs.
    """
    model.load_state_dict(log.best['weights'])
    (scores,) = trainer.test(model, data, verbose=False)
    return result(model, data, log, finite(scores[f'test/{data.eval_metric}']))


def is_whole(checkpoint: Path) -> bool:
    """Whether a checkpoint is there, and none of it is missing."""
    try:
        with ZipFile(checkpoint) as archive:
            return archive.testzip() is None
    except (FileNotFoundError, BadZipFile, EOFError, zlib.error):
        return False
