"""Predictions as a table."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.distributed as dist
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter
from lightning.pytorch.utilities import rank_zero_warn

from gmoe.common.distributed import is_distributed
from gmoe.common.files import replace_text


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
        if is_distributed():
            gathered: list[Any] = [None] * dist.get_world_size()
            dist.all_gather_object(gathered, list(predictions))
            predictions = [batch for part in gathered for batch in part]
        # All processes take part in finding the folder.
        folder = trainer.log_dir or trainer.default_root_dir
        if not trainer.is_global_zero:
            return
        table = self._table(trainer, predictions)
        path = Path(self.path or Path(folder) / 'predictions.csv')
        replace_text(path, table.to_csv(index=False))
        print(f'Wrote {len(table)} predictions to {path}')
        if 'category' in table and (table['category'] == '').all():
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
        if hasattr(data, 'prediction_table'):  # Of nodes.
            return data.prediction_table(joined)
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
        return table.drop_duplicates('graph_id').sort_values('graph_id')

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
