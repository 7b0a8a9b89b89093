"""The optimizer of a network, and the trainer's settings that go with it."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer

from gmoe.training.schedule import Schedule

#: The precisions that training goes with. Adam's averages of squared
#: gradients are zero in float16.
PRECISIONS = ('32-true', '64-true', 'bf16-true', 'bf16-mixed', '16-mixed')


def check_trainer(trainer: Trainer) -> None:
    """Refuses settings that a network cannot be trained with.

    Args:
        trainer: The trainer.

    Raises:
        ValueError: If the precision or the bound of the gradients is one.
    """
    if trainer.precision == '16-true':
        raise ValueError(
            f"'precision' must be one of {PRECISIONS} to train, got '16-true'"
        )
    clip = trainer.gradient_clip_val
    if clip is not None and not clip >= 0:
        raise ValueError(
            f"'gradient_clip_val' must be None or at least 0, got {clip}"
        )


def make_optimizer(
    module: LightningModule,
    learning_rate: float,
    weight_decay: float,
    schedule: Schedule,
    decoupled: bool,
) -> Any:
    """Adam, in the form that Lightning takes.

    Args:
        module: The network that is trained.
        learning_rate: The learning rate.
        weight_decay: The weight decay.
        schedule: The learning rate over the run.
        decoupled: Whether weight decay is that of AdamW.
    """
    optimizer = (torch.optim.AdamW if decoupled else torch.optim.Adam)(
        module.parameters(),
        lr=learning_rate,
        weight_decay=weight_decay,
        fused=_can_fuse(module),  # One pass.
    )
    if schedule == Schedule():
        return optimizer  # Without a trainer, too.
    scheduler = schedule.make(optimizer, module.trainer)
    if scheduler is None:
        return optimizer
    return {
        'optimizer': optimizer,
        'lr_scheduler': {'scheduler': scheduler, 'interval': 'step'},
    }


def _can_fuse(module: LightningModule) -> bool:
    # Under mixed precision, the fused one divides gradients by their scale
    # itself: too late to clip them.
    if module.device.type != 'cpu':
        return False
    trainer = module._trainer
    if trainer is None or not trainer.gradient_clip_val:
        return True
    return not trainer.precision.endswith('-mixed')
