"""Weights that are averaged over the steps of a training."""

from __future__ import annotations

from typing import Any, cast

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor

from gmoe.common.arguments import check_integer, check_share


class AveragedWeights(WeightAveraging):
    r"""Validates, saves and leaves the average of the weights, which is often
    better than the last ones.

    The average is one of all steps of the last epochs, each of which counts
    the same (`Izmailov et al. 2018 <https://arxiv.org/abs/1803.05407>`_), or
    an exponential one, whose decay starts lower: :math:`(1 + n) / (10 + n)`
    after :math:`n` steps, up to :obj:`decay`. The statistics of batch
    normalisation are averaged as the weights are.

    A checkpoint holds the average as its network, and the weights that are
    trained beside it, so that training goes on as if it had not stopped.
    Until there is an average, all is as without it.

    Args:
        decay: The decay of an exponential average.
        last_epochs: The number of epochs of a plain average. (default: none
            of both, and weights are not averaged)

    Raises:
        ValueError: If an argument is out of range, or both are given.
    """

    def __init__(
        self, decay: float | None = None, last_epochs: int | None = None
    ) -> None:
        if decay is not None and last_epochs is not None:
            raise ValueError(
                "'last_epochs' must be None for an exponential average, got "
                f'{last_epochs} and a decay of {decay}'
            )
        if decay is not None:
            check_share(decay=decay)
        if last_epochs is not None:
            check_integer(1, last_epochs=last_epochs)
        #: Whether there is something to average.
        self.is_on = decay is not None or last_epochs is not None
        self.decay = decay
        self.last_epochs = last_epochs
        self._is_due = False
        super().__init__(multi_avg_fn=self._average)

    def setup(
        self, trainer: Trainer, pl_module: LightningModule, stage: str
    ) -> None:
        if not self.is_on:
            return
        endless = trainer.max_epochs in (None, -1)
        if self.last_epochs is not None and stage == 'fit' and endless:
            raise ValueError(
                "'trainer.max_epochs' must be set to average over the last "
                'epochs, got no limit'
            )
        super().setup(trainer, pl_module, stage)

    def on_fit_start(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> None:
        if self._average_model is not None:  # It was made on the CPU.
            self._average_model.to(pl_module.device)

    def should_update(
        self, step_idx: int | None = None, epoch_idx: int | None = None
    ) -> bool:
        # Never after an epoch: its average has been validated by then.
        return step_idx is not None and self._is_due

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *args: Any
    ) -> None:
        self._is_due = self.is_on and (
            self.last_epochs is None
            or trainer.current_epoch
            >= (trainer.max_epochs or 0) - self.last_epochs
        )
        super().on_train_batch_end(trainer, pl_module, *args)

    def on_train_end(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> None:
        if self._has_average:
            super().on_train_end(trainer, pl_module)

    def on_validation_epoch_start(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> None:
        if self._has_average:
            super().on_validation_epoch_start(trainer, pl_module)

    def on_validation_epoch_end(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> None:
        if self._has_average:
            super().on_validation_epoch_end(trainer, pl_module)

    def on_save_checkpoint(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        checkpoint: dict[str, Any],
    ) -> None:
        if self._has_average:
            super().on_save_checkpoint(trainer, pl_module, checkpoint)

    def on_load_checkpoint(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        checkpoint: dict[str, Any],
    ) -> None:
        if 'averaging_state' in checkpoint and self._average_model is not None:
            super().on_load_checkpoint(trainer, pl_module, checkpoint)

    @property
    def average(self) -> LightningModule | None:
        """The network with the averaged weights, if there are some yet."""
        average = self._average_model
        if average is None or int(average.n_averaged) == 0:
            return None
        return cast(LightningModule, average.module)

    @property
    def _has_average(self) -> bool:
        return self.average is not None

    def _average(
        self,
        averages: list[Tensor],
        values: list[Tensor],
        num_averaged: Tensor | int,
    ) -> None:
        n = int(num_averaged)
        if not averages[0].is_floating_point():
            # Counts and offsets, of which an average would be rounded down.
            for average, value in zip(averages, values):
                average.copy_(value)
            return
        share = 1 / (n + 1)
        if self.decay is not None:
            share = 1 - min(self.decay, (1 + n) / (10 + n))
        # What is equal stays as it is, to the bit.
        torch._foreach_lerp_(averages, values, share)
