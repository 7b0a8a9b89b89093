"""The seconds of each training epoch."""

from __future__ import annotations

import time
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer


class EpochTimer(Callback):
    """The seconds of training and of evaluation of each epoch."""

    def __init__(self) -> None:
        self.start = 0.0
        self.train_seconds: dict[int, float] = {}

    def on_train_epoch_start(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> None:
        self.start = time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, *args: Any, **kwargs: Any
    ) -> None:
        # The last batch of the epoch wins: validation follows it.
        seconds = time.perf_counter() - self.start
        self.train_seconds[trainer.current_epoch] = seconds

    def state_dict(self) -> dict[str, Any]:
        return {'train_seconds': self.train_seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.train_seconds = state_dict['train_seconds']
