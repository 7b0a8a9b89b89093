"""Callbacks: what a resume needs, and predictions as a table."""

from __future__ import annotations

import os
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
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table


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
        torch.manual_seed(int(state[0]))

    def state_dict(self) -> dict[str, Any]:
        return {'seed': self.seed}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seed = state_dict['seed']


class LastCheckpoint(ModelCheckpoint):
    """Saves ``last.ckpt`` after each epoch, once its validation and all else
    of it is done.

    ``save_last`` of Lightning's callback does so only after an epoch that was
    better than those before it.

    Args:
        dirpath: The folder.
    """

    def __init__(self, dirpath: str | Path) -> None:
        super().__init__(
            dirpath,
            filename='last',
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        )


class PredictionWriter(BasePredictionWriter):
    """Writes predictions as a CSV file, one row per graph: its id, its split,
    its SMILES string where the dataset has one, targets and predictions
    (probabilities for classification).

    Where a graph has one of several categories, there are the category and
    its probability instead, the true one where it is known, and all
    probabilities; for graphs of triples from a file, they are printed, too.

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
        dataset = trainer.datamodule.dataset  # type: ignore[attr-defined]
        if hasattr(dataset, 'triples_text'):
            _print_categories(table, dataset.triples_text)
        print(f'Wrote {len(table)} predictions to {path}')

    def _table(
        self, trainer: Trainer, predictions: Sequence[Any]
    ) -> pd.DataFrame:
        joined = {
            key: torch.cat([batch[key].cpu() for batch in predictions])
            for key in ('graph_id', 'target', 'prediction')
        }
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
        categories = getattr(data.dataset, 'categories', None)
        if categories is not None:
            columns |= _categories(joined, categories)
        else:
            for key in ('target', 'prediction'):
                values = joined[key].float().numpy()
                for task in range(values.shape[1]):
                    columns[f'{key}_{task}'] = values[:, task]
        table = pd.DataFrame(columns)
        table = table.drop_duplicates('graph_id').sort_values('graph_id')
        return table


def _categories(
    joined: dict[str, torch.Tensor], categories: Sequence[str]
) -> dict[str, Any]:
    names = np.array([*categories, ''])  # The label -1 is that of no category.
    target = joined['target'].long().view(-1).numpy()
    probability = joined['prediction'].float().numpy()
    columns: dict[str, Any] = {}
    if (target >= 0).any():
        columns['target'] = names[target]
    columns['category'] = names[probability.argmax(axis=1)]
    columns['probability'] = probability.max(axis=1)
    for number, name in enumerate(categories):
        columns[f'probability_{name}'] = probability[:, number]
    return columns


def _print_categories(table: pd.DataFrame, texts: Sequence[str]) -> None:
    """Prints the three most probable categories of each graph."""
    prefix = 'probability_'
    probability = table.filter(like=prefix)
    probability.columns = probability.columns.str.removeprefix(prefix)
    shown = Table(box=box.SIMPLE)
    for name in ('graph', 'category', 'probability', 'next', 'triples'):
        shown.add_column(name)
    for graph, row in zip(table['graph_id'], probability.itertuples(False)):
        best = pd.Series(row, probability.columns).nlargest(3)
        others = [f'{name} {value:.3f}' for name, value in best[1:].items()]
        shown.add_row(
            str(graph),
            best.index[0],
            f'{best.iloc[0]:.3f}',
            ', '.join(others),
            escape(texts[graph]),
        )
    Console().print(shown)
