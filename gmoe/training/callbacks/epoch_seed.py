"""Random numbers that depend on the seed and the epoch alone."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer


class EpochSeed(Callback):
    """Seeds PyTorch at the start of each training epoch from the run's seed,
    the epoch and the rank.

    The noise of routers, dropout and node drop of an epoch then do not depend
    on what happened before it: a run that is resumed after an epoch goes on
    exactly as if it had not stopped.

    Args:
        seed: The run's seed. (default: that of ``seed_everything``)
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed

    def on_train_epoch_start(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> None:
        if self.seed is None:
            self.seed = int(os.environ.get('PL_GLOBAL_SEED', 0))
        entropy = (self.seed, trainer.current_epoch, trainer.global_rank)
        state = np.random.SeedSequence(entropy).generate_state(1)
        seed = int(state[0])
        if pl_module.device.type == 'cpu':
            # torch.manual_seed asks all kinds of devices, for longer than the
            # rest of what there is between two short epochs.
            torch.default_generator.manual_seed(seed)
        else:
            torch.manual_seed(seed)

    def state_dict(self) -> dict[str, Any]:
        return {'seed': self.seed}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seed = state_dict['seed']
