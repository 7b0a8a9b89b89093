"""The checkpoint of the last epoch."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from gmoe.training.callbacks.moved_run import at_home


class LastCheckpoint(ModelCheckpoint):
    """Saves ``last.ckpt`` after each epoch, once its validation and all else
    of it is done.

    ``save_last`` of Lightning's callback does so only after an epoch that was
    better than those before it.

    Where epochs are short, saving can take a notable part of the time:
    :obj:`min_seconds` then leaves some epochs out, never the last one. A run
    that is resumed does those since the last checkpoint again.

    Args:
        dirpath: The folder.
        min_seconds: The least number of seconds between two checkpoints; with
            0, there is one after each epoch.

    Raises:
        ValueError: If :obj:`min_seconds` is negative.
    """

    def __init__(self, dirpath: str | Path, min_seconds: float = 0.0) -> None:
        if not min_seconds >= 0:
            raise ValueError(
                f"'min_seconds' must be at least 0, got {min_seconds}"
            )
        super().__init__(
            dirpath,
            filename='last',
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        )
        self.min_seconds = min_seconds
        self._time = 0.0

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(at_home(state_dict, self.dirpath))

    def on_train_start(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> None:
        super().on_train_start(trainer, pl_module)
        self._time = time.monotonic()

    def on_train_epoch_end(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> None:
        if self._is_due(trainer):
            super().on_train_epoch_end(trainer, pl_module)
            self._time = time.monotonic()

    def _is_due(self, trainer: Trainer) -> bool:
        is_last = (
            trainer.should_stop
            or trainer.current_epoch + 1 == trainer.max_epochs
            or trainer.global_step == trainer.max_steps
        )
        if is_last or self.min_seconds == 0:
            return True
        # All processes save together, so the clock of one decides.
        return trainer.strategy.broadcast(
            time.monotonic() - self._time >= self.min_seconds
        )
