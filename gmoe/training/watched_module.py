"""Ends a training that has diverged, and says at which step it did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import torch
import torch.distributed as dist
from lightning.pytorch import LightningModule
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor

from gmoe.common.distributed import is_distributed

#: The number of losses that are looked at together.
CHUNK = 1000


class TrainingDivergedError(RuntimeError):
    """A training whose loss or weights are no longer finite."""


class LossWatch:
    """Finds the first step whose loss is not finite.

    Losses are kept as they are and looked at together, so that the processor
    need not wait for the GPU at each step.
    """

    def __init__(self) -> None:
        self._kept: list[tuple[int, Tensor]] = []

    def add(self, step: int, loss: Tensor) -> bool:
        """Keeps the loss of a step.

        Args:
            step: The number of optimizer steps before it.
            loss: The loss, a scalar.

        Returns:
            Whether it is time to look.
        """
        self._kept.append((step, loss.detach()))
        return len(self._kept) >= CHUNK

    def look(self, leaves_out: bool = False) -> int | None:
        """Looks at the losses since the last look, and forgets them.

        Args:
            leaves_out: Whether steps with a loss that is not finite are left
                out, as a gradient scaler does. Then only losses of which none
                is finite count.

        Returns:
            The first step whose loss is not finite, if any.
        """
        if not self._kept:
            return None
        steps, losses = zip(*self._kept)
        finite = torch.stack(losses).isfinite().tolist()
        self.forget()
        if all(finite) or (leaves_out and any(finite)):
            return None
        return steps[finite.index(False)]

    def forget(self) -> None:
        """Forgets all losses."""
        self._kept = []


def all_finite(state: Mapping[str, Any]) -> bool:
    """Whether all weights and statistics are finite.

    Args:
        state: The state of a module.
    """
    values = [
        value
        for value in state.values()
        if isinstance(value, Tensor) and value.is_floating_point()
    ]
    if not values:
        return True
    # A sum that is finite has finite terms only, and takes less time.
    if bool(torch.stack([v.sum() for v in values]).isfinite().all()):
        return True
    return all(bool(value.isfinite().all()) for value in values)


class WatchedModule(LightningModule):
    """A LightningModule whose training ends where it is no longer finite, and
    which is then not saved.

    Losses are looked at together, before each validation and at the end of
    each epoch: where training waits for the GPU anyway.
    """

    def __init__(self) -> None:
        super().__init__()
        self._watch = LossWatch()

    @property
    def is_fitting(self) -> bool:
        """Whether a trainer trains it, past the check of the validation."""
        trainer = self._trainer
        if trainer is None or trainer.sanity_checking:
            return False
        return trainer.state.fn == TrainerFn.FITTING

    def on_train_epoch_start(self) -> None:
        self._watch.forget()

    def on_before_backward(self, loss: Tensor) -> None:
        if self._watch.add(self.global_step, loss):
            self._look()

    def on_validation_epoch_start(self) -> None:
        if self.is_fitting:
            self._look()

    def on_train_epoch_end(self) -> None:
        self._look()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if self.is_fitting and not all_finite(checkpoint['state_dict']):
            self.end_as_diverged('the weights are not finite')

    def end_as_diverged(
        self, reason: str, step: int | None = None
    ) -> NoReturn:
        """Ends the training, at the first step whose loss is not finite.

        Args:
            reason: What else is not finite.
            step: The step where there is no such loss. (default: the last one
                that was done)

        Raises:
            TrainingDivergedError: Always.
        """
        first = self._first_step()
        if first is None:
            first = self.global_step - 1 if step is None else step
        self._end(reason, first)

    def _end(self, reason: str, step: int) -> NoReturn:
        raise TrainingDivergedError(
            f'training diverged at epoch {self.current_epoch}, step {step}: '
            f'{reason}; the checkpoints of epochs before are kept'
        )

    def _first_step(self) -> int | None:
        scaler = getattr(self.trainer.precision_plugin, 'scaler', None)
        return self._watch.look(leaves_out=scaler is not None)

    def _look(self) -> None:
        step = self._first_step()
        if is_distributed():
            # All processes end together.
            last = torch.iinfo(torch.long).max
            first = torch.tensor(
                last if step is None else step, device=self.device
            )
            dist.all_reduce(first, dist.ReduceOp.MIN)
            step = None if int(first) == last else int(first)
        if step is not None:
            self._end('the loss is not finite', step)
