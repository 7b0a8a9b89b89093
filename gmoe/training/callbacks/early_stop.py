"""Ends a training that no longer gets better."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping
from torch import Tensor

from gmoe.common.arguments import check_integer, check_number


class EarlyStop(EarlyStopping):
    """Ends a training after some epochs in a row without a better score.

    An epoch whose score is not defined, as that of validation graphs of one
    class, does not count. A run that goes on after it was stopped is over
    at once, unless it is given more patience.

    Args:
        patience: The number of epochs. (default: training is not stopped)
        min_delta: How much better a score has to be.
        monitor: The name of the logged score.
        mode: :obj:`"max"` or :obj:`"min"`: which score is better.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        patience: int | None = None,
        min_delta: float = 0.0,
        monitor: str = 'val/loss',
        mode: str = 'min',
    ) -> None:
        #: Whether it is to stop a training at all.
        self.is_on = patience is not None
        if patience is not None:
            check_integer(1, patience=patience)
        check_number(0, min_delta=min_delta)
        super().__init__(
            monitor, min_delta, patience or 0, mode=mode, check_finite=False
        )

    def on_train_start(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> None:
        if self.is_on and self.wait_count >= self.patience:
            trainer.should_stop = True

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        patience = self.patience
        super().load_state_dict(state_dict)
        self.patience = patience  # It may be given anew.

    def _evaluate_stopping_criteria(
        self, current: Tensor
    ) -> tuple[bool, str | None]:
        if not self.is_on or current.isnan():
            return False, None
        return super()._evaluate_stopping_criteria(current)
