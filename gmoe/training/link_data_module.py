"""The LightningDataModule of one graph whose missing edges are to be found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch_geometric.data import Data

from gmoe.datasets import LinkGraph, load_links
from gmoe.datasets.links.pairs import NonEdges
from gmoe.datasets.links.tables import read_pairs
from gmoe.training.graph_data_module import SPLITS, go_on, shuffle_seed
from gmoe.training.graph_steps import GraphSteps
from gmoe.training.link_steps import (
    LinkBatches,
    LinkParts,
    LinkSteps,
    NearPairs,
    link_step,
)
from gmoe.training.metrics import LINK_SCORES
from gmoe.training.node_batches import PartSampler, step_loader
from gmoe.training.node_loaders import cut_into_parts
from gmoe.training.one_graph_data_module import OneGraphDataModule
from gmoe.training.task import BINARY
from gmoe.training.whole_graph import WholeGraph


class LinkDataModule(OneGraphDataModule):
    """One graph whose missing edges are to be found, as a whole in each step,
    or in mini-batches. Evaluation looks at the whole graph.

    A step is given the graph of the training links, or a part of it, and
    pairs of nodes: :obj:`pairs`, of shape ``[2, num_pairs]``; :obj:`y`, 1 for
    links and 0 for others; and :obj:`graph_id`, their numbers. In training,
    these are some of the links, and as many other pairs that are drawn for
    each step anew. What is drawn depends on the seed and the epoch alone, so
    that a resumed run sees the batches of an uninterrupted one; but for drawn
    neighbours. Steps of parts have the links within them.

    Args:
        name: The name of a public graph, or the path of one of your own; see
            :func:`~gmoe.datasets.load_links`.
        root: The folder of the public graphs.
        batch_size: The number of links in a training step, in each process.
        pairs: A table in CSV with the columns ``source`` and ``target``,
            whose pairs are predicted.
        predict_split: What is predicted without one: the pairs of
            :obj:`"train"` (links alone), :obj:`"valid"`, :obj:`"test"`, or
            :obj:`"all"`.
        **kwargs: Arguments of :class:`OneGraphDataModule`.

    Raises:
        ValueError: If an argument is out of range.
    """

    kind = 'links'
    task_type = BINARY
    num_tasks = 1
    num_classes = 2

    scores = LINK_SCORES

    def __init__(
        self,
        name: str,
        root: str = 'data',
        batch_size: int = 65536,
        pairs: str | None = None,
        predict_split: str = 'test',
        **kwargs: Any,
    ) -> None:
        super().__init__(
            name,
            root,
            batch_size=batch_size,
            predict_split=predict_split,
            **kwargs,
        )
        self.batch_size = batch_size
        self.pairs = pairs
        #: The numbers of the pairs of each part, links first.
        self.splits: dict[str, Tensor] = {}

    def load(self) -> LinkGraph:
        """Loads the graph."""
        return load_links(self.source, self.root, self.split_seed)

    @property
    def eval_metric(self) -> str:  # type: ignore[override]
        """The score that selects."""
        return self.metric or self.graph.info.eval_metric

    @property
    def in_channels(self) -> int | None:
        """The number of features of a node, if nodes have some."""
        return self.graph.data.num_features or None

    @property
    def num_nodes(self) -> int:
        """The number of nodes."""
        return self.graph.data.num_nodes

    def setup(self, stage: str | None = None) -> None:
        if self.splits:
            return
        graph = self.graph
        parts, labels, first = {}, {}, 0
        for split in SPLITS:
            links = graph.links[split]
            others = graph.others.get(split, links[:, :0])
            parts[split] = torch.cat([links, others], dim=1)
            labels[split] = torch.zeros(parts[split].size(1))
            labels[split][: links.size(1)] = 1
            self.splits[split] = first + torch.arange(parts[split].size(1))
            first += parts[split].size(1)
        self._pairs = torch.cat(list(parts.values()), dim=1)
        self._y = torch.cat(list(labels.values()))
        is_full = self.batches.kind == 'full'
        self._whole = WholeGraph(
            self.add_router_input(), self.two_hop, for_training=is_full
        )

    def train_dataloader(self) -> DataLoader:
        data, batches = self.graph.data, self.batches
        on_graph = GraphSteps(self.two_hop, True, data.get('router_input'))
        if batches.kind == 'parts':
            parts = cut_into_parts(data, batches.num_parts)
            sampler: Any = PartSampler(
                batches, *self.rank, seed=shuffle_seed()
            )
            steps: Any = LinkParts(parts, on_graph)
        else:
            links, near = self.graph.links['train'], None
            if batches.kind == 'neighbors':
                near = NearPairs(data, batches, on_graph)
            sampler = LinkBatches(
                links.size(1), self.batch_size, shuffle_seed(), *self.rank
            )
            steps = LinkSteps(links, NonEdges(links, self.num_nodes), near)
        go_on(sampler, self.trainer)
        return step_loader(steps, sampler)

    def val_dataloader(self) -> DataLoader:
        return self._eval_loader('valid')

    def test_dataloader(self) -> DataLoader:
        return self._eval_loader('test')

    def predict_dataloader(self) -> DataLoader:
        if self.pairs is None:
            return self._eval_loader(self.predict_split)
        pairs = read_pairs(Path(self.pairs).expanduser(), self._ids)
        y = torch.full((pairs.size(1),), torch.nan)
        return step_loader([link_step(pairs, y)])

    def on_after_batch_transfer(
        self, batch: Data, dataloader_idx: int
    ) -> Data:
        if 'edge_index' in batch:  # It is a mini-batch.
            return batch
        is_training = self.trainer is not None and self.trainer.training
        batch.update(self._whole.on(batch.y.device, is_training).to_dict())
        return batch

    def _eval_loader(self, split: str) -> DataLoader:
        # The graph is encoded once for all of them.
        rows = torch.cat(
            [self.splits[part] for part in SPLITS if split in (part, 'all')]
        )
        return step_loader(
            [link_step(self._pairs[:, rows], self._y[rows], rows)]
        )

    @property
    def _ids(self) -> tuple[str, ...]:
        return self.graph.ids or tuple(map(str, range(self.num_nodes)))

    def prediction_table(self, joined: dict[str, Tensor]) -> pd.DataFrame:
        """Predictions as a table: the two nodes of each pair, its split,
        whether it is a link, as far as that is known, and the probability
        that it is.

        Args:
            joined: The numbers of the pairs, ``graph_id``; their ``target``
                and ``prediction``, as the module has them.
        """
        # Once: several processes have all of them.
        number, first = np.unique(joined['graph_id'], return_index=True)
        joined = {key: value[first] for key, value in joined.items()}
        pairs, split = self._pairs, np.full(len(self._y), '', dtype=object)
        for name, index in self.splits.items():
            split[index.numpy()] = name
        if self.pairs is not None:
            pairs = read_pairs(Path(self.pairs).expanduser(), self._ids)
            split = np.full(pairs.size(1), '', dtype=object)
        ids = np.array(self._ids, dtype=object)
        source, target = pairs[:, number].numpy()
        known = joined['target'].view(-1).nan_to_num(-1).long().numpy()
        return pd.DataFrame(
            {
                'source': ids[source],
                'target': ids[target],
                'split': split[number],
                'link': np.array(['0', '1', ''], dtype=object)[known],
                'probability': joined['prediction'].view(-1).numpy(),
            }
        )
