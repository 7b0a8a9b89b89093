"""The size of a network, before it is trained."""

from __future__ import annotations

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info


class ParameterCount(Callback):
    """Prints how many parameters a network has before it is trained."""

    def on_fit_start(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> None:
        parameters = list(pl_module.parameters())
        total = sum(p.numel() for p in parameters)
        trained = sum(p.numel() for p in parameters if p.requires_grad)
        rank_zero_info(
            f'{type(pl_module).__name__}: {total:,} parameters, {trained:,} '
            'of them trained'
        )
