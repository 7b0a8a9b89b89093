"""The checkpoint of the epoch with the best score."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from gmoe.training.callbacks.moved_run import at_home


class BestCheckpoint(ModelCheckpoint):
    """Saves the epoch with the best score as ``best.ckpt``.

    Where the score is not defined, as that of validation graphs of one class
    or without labels, the lowest loss of the same split decides, and where
    that is not defined either, the last epoch is taken; with a warning. An
    epoch with a score is better than all of those.

    Its arguments are those of Lightning's callback.
    """

    _lowest_loss: Tensor | None = None
    _has_warned = False

    @property
    def state_key(self) -> str:
        # That of runs that were saved by Lightning's callback.
        ours, theirs = type(self).__qualname__, ModelCheckpoint.__qualname__
        return super().state_key.replace(ours, theirs, 1)

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), 'lowest_loss': self._lowest_loss}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(at_home(state_dict, self.dirpath))
        self._lowest_loss = state_dict.get('lowest_loss')

    def check_monitor_top_k(
        self, trainer: Trainer, current: Tensor | None = None
    ) -> bool:
        """Whether an epoch is to be saved.

        Args:
            trainer: The trainer, which knows the loss.
            current: The score of the epoch.
        """
        if current is None or not current.isnan():
            return super().check_monitor_top_k(trainer, current)
        best = self.best_model_score  # Infinite where there was none.
        if best is not None and best.isfinite():
            return False
        name = f'{str(self.monitor).rpartition("/")[0]}/loss'
        loss = trainer.callback_metrics.get(name, current)
        self._warn(name, loss)
        if loss.isnan():
            return self._lowest_loss is None
        is_lower = self._lowest_loss is None or bool(loss < self._lowest_loss)
        if is_lower:
            self._lowest_loss = loss
        return is_lower

    def _warn(self, name: str, loss: Tensor) -> None:
        if self._has_warned:
            return
        self._has_warned = True
        instead = f"the lowest '{name}'"
        if loss.isnan():
            instead = f"the last epoch, as '{name}' is not defined either,"
        rank_zero_warn(
            f"'{self.monitor}' is not defined: {instead} decides on the best "
            'checkpoint until it is'
        )
