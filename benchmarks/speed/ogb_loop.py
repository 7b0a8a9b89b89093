"""The single GCN on stock PyG in a plain loop, with the protocol of OGB's
molecule example: batches of 32, Adam, and a score of each split after each
epoch."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.loader import DataLoader

from benchmarks.speed.stock import StockGNN
from gmoe.datasets import OGBMolDataset, import_ogb

SPLITS = ('train', 'valid', 'test')

#: The seconds of each part of an epoch.
Parts = dict[str, float]


class OGBLoop:
    """The single GCN of 300 channels, trained and scored by a plain loop.

    Args:
        dataset: The dataset, with one task.
    """

    def __init__(self, dataset: OGBMolDataset) -> None:
        evaluate = import_ogb('ogb.graphproppred.evaluate')
        self.evaluator = evaluate.Evaluator(dataset.name)
        self.metric = dataset.eval_metric
        self.is_regression = dataset.task_type == 'regression'
        index = dataset.get_idx_split()
        self.loaders = {
            split: DataLoader(
                dataset[index[split]],
                batch_size=32,
                shuffle=split == 'train',
                exclude_keys=['graph_id'],  # OGB's loader has none.
            )
            for split in SPLITS
        }
        torch.manual_seed(0)
        self.model = StockGNN('gcn', 300)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3)

    def epoch(self) -> Parts:
        """Trains and scores, and returns the seconds of each part."""
        parts = {'train': _seconds(self._train)}
        for split in SPLITS:
            parts[f'score_{split}'] = _seconds(self.score, split)
        return parts

    def _train(self) -> None:
        self.model.train()
        for batch in self.loaders['train']:
            if batch.num_graphs == 1:  # Batch normalisation takes two.
                continue
            out = self.model(batch)
            self.optimizer.zero_grad()
            self._loss(out, batch.y).backward()
            self.optimizer.step()

    def _loss(self, out: Tensor, y: Tensor) -> Tensor:
        is_labeled = ~y.isnan()
        out, y = out.float()[is_labeled], y.float()[is_labeled]
        if self.is_regression:
            return nn.functional.mse_loss(out, y)
        return nn.functional.binary_cross_entropy_with_logits(out, y)

    @torch.no_grad()
    def score(self, split: str) -> float:
        """The score of OGB's evaluator.

        Args:
            split: One of :obj:`SPLITS`.
        """
        self.model.eval()
        outs, targets = [], []
        for batch in self.loaders[split]:
            out = self.model(batch)
            outs.append(out)
            targets.append(batch.y.view(out.shape))
        result = self.evaluator.eval(
            {
                'y_true': torch.cat(targets).numpy(),
                'y_pred': torch.cat(outs).numpy(),
            }
        )
        return result[self.metric]


def _seconds(call: Callable[..., Any], *arguments: Any) -> float:
    start = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - start
