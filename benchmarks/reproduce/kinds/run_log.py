"""The log of a run's epochs, which its checkpoints keep."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from benchmarks.common.memory import peak_memory, reset_peak_memory
from benchmarks.reproduce.progress import Progress
from benchmarks.reproduce.store import finite
from gmoe.training.callbacks import AveragedWeights


class EpochLog(Callback):
    """Keeps the seconds of each epoch, and what :meth:`keep` adds. As part of
    a checkpoint, they are those of the epochs that it comes after, each once:
    what a run did after its last checkpoint leaves no trace.

    Args:
        folder: Where the progress is written for the one who watches.
    """

    #: The attributes that are part of a checkpoint.
    kept: tuple[str, ...] = ('train_seconds', 'seconds', 'peak_memory')

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.train_seconds: list[float] = []
        self.seconds: list[float] = []
        self.peak_memory = 0
        self._start = 0.0
        self._train_seconds = 0.0

    def keep(self, trainer: Trainer, pl_module: Any) -> None:
        """Keeps what there is to know after an epoch."""

    def on_fit_start(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> None:
        reset_peak_memory()

    def on_train_start(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> None:
        # A run that goes on may be less far than when it stopped.
        self._write_progress()

    def on_train_epoch_start(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> None:
        self._start = time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, *args: Any, **kwargs: Any
    ) -> None:
        # The last batch of the epoch wins: validation follows it.
        self._train_seconds = time.perf_counter() - self._start

    def on_train_epoch_end(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> None:
        self.train_seconds.append(round(self._train_seconds, 4))
        self.seconds.append(round(time.perf_counter() - self._start, 4))
        self.peak_memory = max(self.peak_memory, peak_memory())
        self.keep(trainer, pl_module)
        self._write_progress()

    def measured(self) -> dict[str, Any]:
        """The measurements that differ from one time to the next."""
        return {
            'seconds': round(sum(self.seconds), 3),
            'train_seconds': round(sum(self.train_seconds), 3),
            'peak_memory': self.peak_memory,
        }

    def state_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.kept}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for name in self.kept:
            setattr(self, name, state_dict[name])

    def _write_progress(self) -> None:
        progress = Progress(len(self.seconds), sum(self.seconds), os.getpid())
        progress.write(self.folder)


class RunLog(EpochLog):
    """Keeps the scores of each epoch, and of the epoch that is best on
    validation the weights and how much each expert was used.

    Args:
        folder: Where the progress is written for the one who watches.
    """

    kept = ('curve', 'best', *EpochLog.kept)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.curve: dict[str, list[float | None]] = {}
        self.best: dict[str, Any] = {}

    def keep(self, trainer: Trainer, pl_module: Any) -> None:
        metric = pl_module.metric
        names = {
            'train_loss': 'train/task_loss',
            'balance_loss': 'train/balance_loss',
            'valid': f'val/{metric}',
            'test': f'test_curve/{metric}',
        }
        for key, name in names.items():
            if name in trainer.callback_metrics:
                value = finite(trainer.callback_metrics[name])
                self.curve.setdefault(key, []).append(value)
        score = float(trainer.callback_metrics[f'val/{metric}'])
        if math.isnan(score):
            gain = -math.inf
        else:
            gain = score if pl_module.mode == 'max' else -score
        if self.best and gain <= self.best['gain']:
            return
        self.best = {
            'epoch': trainer.current_epoch,
            'gain': gain,
            'usage': _usage(pl_module),
            'weights': {
                # A copy, on the GPU too.
                name: value.detach().to('cpu', copy=True)
                for name, value in _validated(trainer, pl_module)
                .state_dict()
                .items()
            },
        }


def _validated(trainer: Trainer, pl_module: Any) -> Any:
    # The network whose score it is: the average, where weights are averaged.
    for callback in trainer.callbacks:
        if isinstance(callback, AveragedWeights) and callback.average:
            return callback.average
    return pl_module


def _usage(pl_module: Any) -> list[list[float]] | None:
    # A row per mixture layer; a share of the epoch's assignments per expert.
    if pl_module.usage is None:
        return None
    shares = pl_module.usage.compute().tolist()
    return [[round(share, 4) for share in layer] for layer in shares]
