"""The size of a network, before it is trained."""

from __future__ import annotations

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info


class ParameterCount(Callback):
    """Prints how many parameters a network has before it is trained."""

    def on_fit_start(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> None:
        sizes = [
            (parameter.numel(), parameter.requires_grad)
            for parameter in pl_module.parameters()
        ]
        total = sum(size for size, _ in sizes)
        trained = sum(size for size, is_trained in sizes if is_trained)
        rank_zero_info(
            f'{type(pl_module).__name__}: {total:,} parameters, {trained:,} '
            'of them trained'
        )
