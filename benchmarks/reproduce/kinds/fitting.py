"""Trains a run with Lightning, from its last checkpoint or the start."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from lightning.pytorch import LightningDataModule, LightningModule, Trainer

from benchmarks.reproduce.job import Job
from benchmarks.reproduce.kinds.run_log import EpochLog
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


def is_whole(checkpoint: Path) -> bool:
    """Whether a checkpoint is there, and none of it is missing."""
    try:
        with ZipFile(checkpoint) as archive:
            return archive.testzip() is None
    except (FileNotFoundError, BadZipFile, EOFError, zlib.error):
        return False
