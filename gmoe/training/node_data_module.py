"""The LightningDataModule of one graph whose nodes are classified."""

from __future__ import annotations

from typing import Any

import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch_geometric.data import Data
from torch_geometric.transforms import NormalizeFeatures

from gmoe.common.arguments import check_integer
from gmoe.datasets import NodeGraph, load_nodes
from gmoe.training.graph_steps import STEP_KEYS
from gmoe.training.node_batches import FullSteps, step_loader
from gmoe.training.node_loaders import NodeLoaders
from gmoe.training.node_table import prediction_table
from gmoe.training.one_graph_data_module import OneGraphDataModule
from gmoe.training.task import MULTICLASS, SCORES
from gmoe.training.whole_graph import WholeGraph

_MASKS = {'train': 'train_mask', 'valid': 'val_mask', 'test': 'test_mask'}


class NodeDataModule(OneGraphDataModule):
    """One graph whose nodes are classified, as a whole in each step, or in
    mini-batches.

    A step is given the graph, or a part of it, and the nodes of its split that
    count: :obj:`target`, their places; :obj:`y`, what they are to be; and
    :obj:`graph_id`, their numbers, by which scores count them once.

    Args:
        name: The name of a public graph, or the path of one of your own; see
            :func:`~gmoe.datasets.load_nodes`.
        root: The folder of the public graphs.
        split: The number of a fixed split, :obj:`"public"` or
            :obj:`"random"`. (default: the first one that there is)
        undirected: Whether each edge is to go both ways.
        normalize_features: Whether the features of a node are divided by
            their sum.
        steps_per_epoch: The number of training steps between two
            validations, where each sees the whole graph.
        batch_size: The training nodes of a batch with neighbours.
        full_evaluation: Whether evaluation looks at the whole graph, and not
            at parts of it. (default: where it would take at most half of the
            memory)
        **kwargs: Arguments of :class:`OneGraphDataModule`.

    Raises:
        ValueError: If an argument is out of range.
    """

    kind = 'nodes'

    scores = sorted({name for names in SCORES.values() for name in names})

    def __init__(
        self,
        name: str,
        root: str = 'data',
        split: int | str | None = None,
        undirected: bool = True,
        normalize_features: bool = False,
        steps_per_epoch: int = 1,
        batch_size: int = 1024,
        full_evaluation: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name, root, batch_size=batch_size, **kwargs)
        check_integer(1, steps_per_epoch=steps_per_epoch)
        self.split = split
        self.undirected = undirected
        self.normalize_features = normalize_features
        self.steps_per_epoch = steps_per_epoch
        self.full_evaluation = full_evaluation
        self.splits: dict[str, Tensor] = {}

    def load(self) -> NodeGraph:
        """Loads the graph."""
        graph = load_nodes(
            self.source,
            self.root,
            self.split,
            self.split_seed,
            self.undirected,
        )
        if self.normalize_features:
            data = NormalizeFeatures(['x'])(graph.data)
            graph = graph._replace(data=data)
        return graph

    @property
    def task_type(self) -> str:  # type: ignore[override]
        """The kind of the task."""
        return self.graph.info.task_type

    @property
    def eval_metric(self) -> str:  # type: ignore[override]
        """The score that selects.

        Raises:
            ValueError: If the task has no such score.
        """
        metric = self.metric or self.graph.info.eval_metric
        if metric not in SCORES[self.task_type]:
            raise ValueError(
                f"'metric' must be one of {SCORES[self.task_type]} for "
                f'{self.task_type!r}, got {metric!r}'
            )
        return metric

    @property
    def in_channels(self) -> int:
        """The number of features of a node."""
        return self.graph.data.num_features

    @property
    def num_tasks(self) -> int:  # type: ignore[override]
        """The number of labels of a node."""
        y = self.graph.data.y
        return y.size(1) if y.dim() == 2 else 1

    @property
    def num_classes(self) -> int:  # type: ignore[override]
        """The number of classes, or 2 for labels that are 0 or 1."""
        if self.task_type == MULTICLASS:
            return len(self.graph.classes)
        return 2

    def train_targets(self) -> Tensor:
        return self.graph.data.y[self.splits['train']]

    def setup(self, stage: str | None = None) -> None:
        if self.splits:
            return
        data = self.graph.data
        self.splits = {
            split: data[mask].nonzero().view(-1)
            for split, mask in _MASKS.items()
        }
        data = self.add_router_input()
        everything = {**self.splits, 'all': torch.arange(data.num_nodes)}
        self.loaders = NodeLoaders(
            data, everything, self.two_hop, self.batches
        )
        if self.batches.kind == 'full':
            self.full_evaluation = True
        else:
            self.full_evaluation = self.loaders.whole_fits(
                self.trainer, self.full_evaluation
            )
        if self.full_evaluation:
            self._graph_as_whole = WholeGraph(
                Data(**{key: data[key] for key in STEP_KEYS if key in data}),
                self.two_hop,
                for_training=self.batches.kind == 'full',
            )

    def train_dataloader(self) -> DataLoader:
        if self.batches.kind == 'full':
            return self._whole('train', self.steps_per_epoch)
        return self.loaders.train(self.trainer)

    def val_dataloader(self) -> DataLoader:
        return self._for_evaluation('valid')

    def test_dataloader(self) -> DataLoader:
        return self._for_evaluation('test')

    def predict_dataloader(self) -> DataLoader:
        return self._for_evaluation(self.predict_split)

    def on_after_batch_transfer(
        self, batch: Data, dataloader_idx: int
    ) -> Data:
        if 'edge_index' in batch:  # It is a mini-batch.
            return batch
        is_training = self.trainer is not None and self.trainer.training
        graph = self._graph_as_whole.on(batch.y.device, is_training)
        batch.update(graph.to_dict())
        return batch

    def _for_evaluation(self, split: str) -> DataLoader:
        if self.full_evaluation:
            return self._whole(split)
        return self.loaders.of_parts(split, self.trainer)

    def _whole(self, split: str, steps: int = 1) -> DataLoader:
        nodes = self.loaders.splits[split]
        return step_loader(FullSteps(nodes, self.graph.data.y[nodes], steps))

    def prediction_table(self, joined: dict[str, Tensor]) -> pd.DataFrame:
        """Predictions as a table; see
        :func:`~gmoe.training.node_table.prediction_table`.

        Args:
            joined: The predictions, as the module has them.
        """
        return prediction_table(self.graph, self.splits, joined)
