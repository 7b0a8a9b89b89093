"""Callbacks: what a resume needs, and predictions as a table."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.distributed as dist
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import (
    BasePredictionWriter,
    ModelCheckpoint,
)
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor


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


class BestCheckpoint(ModelCheckpoint):
    """Saves ``best.ckpt``, that of the epoch with the best score.

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
        super().load_state_dict(state_dict)
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


class LastCheckpoint(ModelCheckpoint):
    """Saves ``last.ckpt`` after each epoch, once its validation and all else
    of it is done.

    ``save_last`` of Lightning's callback does so only after an epoch that was
    better than those before it.

    Where epochs are short, saving can take a notable part of the time:
    :obj:`min_seconds` then leaves some epochs out, never the last one. A run
    that is resumed does those since the last checkpoint again.

    Args:
        dirpath: The folder.
        min_seconds: The least number of seconds between two checkpoints; with
            0, there is one after each epoch.

    Raises:
        ValueError: If :obj:`min_seconds` is negative.
    """

    def __init__(self, dirpath: str | Path, min_seconds: float = 0.0) -> None:
        if not min_seconds >= 0:
            raise ValueError(
                f"'min_seconds' must be at least 0, got {min_seconds}"
            )
        super().__init__(
            dirpath,
            filename='last',
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        )
        self.min_seconds = min_seconds
        self._time = 0.0

    def on_train_start(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> None:
        super().on_train_start(trainer, pl_module)
        self._time = time.monotonic()

    def on_train_epoch_end(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> None:
        if self._is_due(trainer):
            super().on_train_epoch_end(trainer, pl_module)
            self._time = time.monotonic()

    def _is_due(self, trainer: Trainer) -> bool:
        is_last = (
            trainer.should_stop
            or trainer.current_epoch + 1 == trainer.max_epochs
            or trainer.global_step == trainer.max_steps
        )
        if is_last or self.min_seconds == 0:
            return True
        # All processes save together, so the clock of one decides.
        return trainer.strategy.broadcast(
            time.monotonic() - self._time >= self.min_seconds
        )


class PredictionWriter(BasePredictionWriter):
    """Writes predictions as a CSV file, one row per graph: its id, its split,
    its SMILES string where the dataset has one, targets and predictions
    (probabilities for classification). Where graphs have one of several
    categories, a row has the category, the predicted one, and the probability
    of each; those of graphs without a known category are printed, too.

    Args:
        path: The file. (default: ``predictions.csv`` in the run's folder)
    """

    def __init__(self, path: str | Path | None = None) -> None:
        super().__init__(write_interval='epoch')
        self.path = path

    def write_on_epoch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        predictions: Sequence[Any],
        batch_indices: Sequence[Any],
    ) -> None:
        if dist.is_available() and dist.is_initialized():
            gathered: list[Any] = [None] * dist.get_world_size()
            dist.all_gather_object(gathered, list(predictions))
            predictions = [batch for part in gathered for batch in part]
        # All processes take part in finding the folder.
        folder = trainer.log_dir or trainer.default_root_dir
        if not trainer.is_global_zero:
            return
        table = self._table(trainer, predictions)
        path = Path(self.path or Path(folder) / 'predictions.csv')
        path.parent.mkdir(parents=True, exist_ok=True)
        # A reader never sees half a table.
        partial = path.with_name(f'.{path.name}.{os.getpid()}')
        table.to_csv(partial, index=False)
        os.replace(partial, path)
        print(f'Wrote {len(table)} predictions to {path}')
        if 'predicted' in table and (table['category'] == '').all():
            self._print(table)

    def _table(
        self, trainer: Trainer, predictions: Sequence[Any]
    ) -> pd.DataFrame:
        joined = {
            key: torch.cat([batch[key].cpu() for batch in predictions])
            for key in ('graph_id', 'target', 'prediction')
        }
        wrong = ~joined['prediction'].isfinite().all(dim=1)
        if wrong.any():
            rank_zero_warn(
                f'The predictions of {int(wrong.sum())} of {len(wrong)} '
                'graphs are not finite'
            )
        data = trainer.datamodule  # type: ignore[attr-defined]
        graph_id = joined['graph_id'].numpy()
        columns: dict[str, Any] = {'graph_id': graph_id}
        split = np.empty(len(data.dataset), dtype=object)
        for name, index in data.splits.items():
            split[index.numpy()] = name
        columns['split'] = split[graph_id]
        if hasattr(data.dataset, 'smiles'):
            with suppress(FileNotFoundError):  # A dataset without them.
                columns['smiles'] = [
                    data.dataset.smiles(int(i)) for i in graph_id
                ]
        if hasattr(data.dataset, 'categories'):
            columns |= _category_columns(data.dataset.categories, joined)
            joined = {}
        for key in [key for key in joined if key != 'graph_id']:
            for task in range(joined[key].size(1)):
                columns[f'{key}_{task}'] = joined[key][:, task].float().numpy()
        table = pd.DataFrame(columns)
        table = table.drop_duplicates('graph_id').sort_values('graph_id')
        return table

    def _print(self, table: pd.DataFrame) -> None:
        for _, row in table.iterrows():
            probabilities = row.iloc[4:].astype(float)
            best = probabilities.sort_values(ascending=False)[:3]
            shown = ', '.join(f'{k} {p:.3f}' for k, p in best.items())
            print(f'graph {row["graph_id"]}: {row["predicted"]} ({shown})')


def _category_columns(
    categories: Sequence[str], joined: dict[str, torch.Tensor]
) -> dict[str, Any]:
    names = np.array([*categories, ''])  # Those of -1 are not known.
    probability = joined['prediction'].float().numpy()
    return {
        'category': names[joined['target'].view(-1).numpy()],
        'predicted': names[probability.argmax(axis=1)],
        **{name: probability[:, i] for i, name in enumerate(categories)},
    }
