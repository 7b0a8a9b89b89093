"""The learning rate over a run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from lightning.pytorch import Trainer
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LinearLR

from gmoe.common.arguments import check_choice, check_number, check_share

#: How the learning rate goes on after the warm-up.
SCHEDULES = ('constant', 'linear', 'cosine', 'exponential')


@dataclass(frozen=True)
class Schedule:
    """The learning rate over a run, by optimizer steps: a line upwards, the
    warm-up, and then what has the schedule's name.

    With ``"exponential"`` and a warm-up of two epochs it is the one of
    `chemprop <https://arxiv.org/abs/1904.01561>`_, which calls it Noam's.

    Args:
        name: :obj:`"constant"`, or how the rate decays to the end of the run:
            :obj:`"linear"`, :obj:`"cosine"` or :obj:`"exponential"`.
        warmup_epochs: The number of epochs of the warm-up, also a part of
            one.
        start_factor: The rate at the start of the warm-up, as a share of the
            learning rate.
        end_factor: The rate at the end of the run, as a share of the learning
            rate. (default: 0.1 for ``"exponential"``, which cannot reach
            zero, and else 0)

    Raises:
        ValueError: If an argument is out of range.
    """

    name: str = 'constant'
    warmup_epochs: float = 0.0
    start_factor: float = 0.1
    end_factor: float | None = None

    def __post_init__(self) -> None:
        check_choice('schedule', self.name, SCHEDULES)
        check_number(0, warmup_epochs=self.warmup_epochs)
        check_share(inclusive=True, start_factor=self.start_factor)
        check_share(inclusive=True, end_factor=self.end)
        if self.name == 'exponential' and self.end == 0:
            raise ValueError(
                "'end_factor' must be in (0, 1] for an exponential "
                f"'schedule', got {self.end_factor}"
            )

    @property
    def end(self) -> float:
        """The rate at the end, as a share of the learning rate."""
        if self.end_factor is not None:
            return self.end_factor
        return 0.1 if self.name == 'exponential' else 0.0

    def make(
        self, optimizer: Optimizer, trainer: Trainer
    ) -> LinearLR | LambdaLR | None:
        """The scheduler of a run, which steps with the optimizer, if its rate
        is not constant.

        Args:
            optimizer: The optimizer.
            trainer: The trainer, which knows the number of steps.

        Raises:
            ValueError: If the run has no end, and the rate depends on it.
        """
        if self.name == 'constant' and self.warmup_epochs == 0:
            return None
        steps = trainer.estimated_stepping_batches
        if math.isinf(steps) and self.name != 'constant':
            raise ValueError(
                "'trainer.max_epochs' or 'trainer.max_steps' must be set for "
                f"a {self.name} 'schedule', got neither"
            )
        if self.name == 'linear' and self.warmup_epochs == 0:
            return LinearLR(optimizer, 1.0, self.end, total_iters=int(steps))
        batches = trainer.num_training_batches
        per_epoch = math.ceil(batches / trainer.accumulate_grad_batches)
        warmup = round(self.warmup_epochs * per_epoch)
        return LambdaLR(optimizer, Factor(self, warmup, steps))


class Factor:
    """The learning rate of each step, as a share of the highest one.

    Its attributes are plain values, which a checkpoint keeps.

    Args:
        schedule: The schedule.
        warmup: The number of steps of the warm-up.
        steps: The number of steps of the run.
    """

    def __init__(self, schedule: Schedule, warmup: int, steps: float) -> None:
        self.name = schedule.name
        self.start = schedule.start_factor
        self.end = schedule.end
        self.warmup = int(min(warmup, steps))
        #: None where it does not matter.
        self.steps = None if schedule.name == 'constant' else int(steps)

    def __call__(self, step: int) -> float:
        if step < self.warmup:
            return self.start + (1 - self.start) * step / self.warmup
        if self.steps is None:
            return 1.0
        done = (step - self.warmup) / max(self.steps - self.warmup, 1)
        done = min(done, 1.0)
        if self.name == 'exponential':
            return self.end**done
        if self.name == 'cosine':
            done = (1 - math.cos(math.pi * done)) / 2
        return 1 + (self.end - 1) * done


def planned_steps(scheduler: Any) -> tuple[str, int] | None:
    """The name of a schedule that depends on the number of steps of the run,
    and that number.

    Args:
        scheduler: What :meth:`Schedule.make` returns, or another scheduler.
    """
    if isinstance(scheduler, LinearLR):
        return 'linear', scheduler.total_iters
    if isinstance(scheduler, LambdaLR):
        factor = scheduler.lr_lambdas[0]
        if isinstance(factor, Factor) and factor.steps is not None:
            return factor.name, factor.steps
    return None
