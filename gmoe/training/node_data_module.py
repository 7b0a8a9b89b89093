"""The LightningDataModule of one graph whose nodes are classified."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import torch
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor
from torch.utils.data import DataLoader
from torch_geometric.data import Data
from torch_geometric.transforms import NormalizeFeatures

from gmoe.common.arguments import check_choice, check_integer
from gmoe.datasets import NodeGraph, load_nodes
from gmoe.ops.two_hop import Mode
from gmoe.training.graph_data_module import SPLITS
from gmoe.training.node_batches import BatchSettings, FullSteps, step_loader
from gmoe.training.node_hops import NodeHops
from gmoe.training.node_loaders import NodeLoaders
from gmoe.training.node_table import prediction_table
from gmoe.training.task import MULTICLASS, SCORES
from gmoe.training.task_data_module import TaskDataModule
from gmoe.training.whole_graph import WholeGraph
from gmoe.transforms.router_input import COLUMNS, RouterInput

# What a network is given of the graph, besides hop-2 edges.
_KEYS = ('x', 'edge_index', 'edge_weight', 'router_input')
_MASKS = {'train': 'train_mask', 'valid': 'val_mask', 'test': 'test_mask'}


class NodeDataModule(TaskDataModule):
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
        split_seed: Decides on a random split.
        undirected: Whether each edge is to go both ways.
        metric: The score that selects. (default: the usual one)
        normalize_features: Whether the features of a node are divided by
            their sum.
        two_hop: Which hop-2 edges are made: :obj:`"exact"`,
            :obj:`"released"` or :obj:`None`; see
            :class:`~gmoe.transforms.TwoHop`.
        max_hop2_pairs: The most hop-2 edges, of which some are drawn where
            there are more.
        max_hop2_neighbors: The most hop-2 neighbours of a node in training;
            evaluation looks at all.
        hop2_seed: Decides on those that are drawn.
        router_input: What routers see beside the features of a node:
            :obj:`"degree"`, :obj:`"clustering"`, :obj:`"walks"` or
            :obj:`"agreement"`; see :class:`~gmoe.transforms.RouterInput`.
        router_walks: The number of columns of :obj:`"walks"`.
        steps_per_epoch: The number of training steps between two
            validations, where each sees the whole graph.
        batch: What a training step sees: the :obj:`"full"` graph; some
            :obj:`"parts"` of it, as in `"Cluster-GCN"
            <https://arxiv.org/abs/1905.07953>`_; or some nodes and drawn
            :obj:`"neighbors"`. Hop-2 edges are those of what it sees.
        num_parts: The number of parts, which are always the same.
        parts_per_batch: How many parts a batch has.
        batch_size: The training nodes of a batch with neighbours.
        num_neighbors: The neighbours that are drawn of each node, hop by hop.
        full_evaluation: Whether evaluation looks at the whole graph, and not
            at parts of it. (default: where it would take at most half of the
            memory)
        predict_split: The nodes that are predicted: :obj:`"train"`,
            :obj:`"valid"`, :obj:`"test"` or :obj:`"all"`.
        score_test: Whether :obj:`gmoe fit` ends with the score of the test
            nodes, by the epoch that validation selects.

    Raises:
        ValueError: If an argument is out of range.
    """

    kind = 'nodes'

    def __init__(
        self,
        name: str,
        root: str = 'data',
        split: int | str | None = None,
        split_seed: int = 0,
        undirected: bool = True,
        metric: str | None = None,
        normalize_features: bool = False,
        two_hop: Mode | None = None,
        max_hop2_pairs: int | None = None,
        max_hop2_neighbors: int | None = None,
        hop2_seed: int = 0,
        router_input: list[str] | None = None,
        router_walks: int = 4,
        steps_per_epoch: int = 1,
        batch: str = 'full',
        num_parts: int = 16,
        parts_per_batch: int = 1,
        batch_size: int = 1024,
        num_neighbors: Sequence[int] = (10, 10),
        full_evaluation: bool | None = None,
        predict_split: str = 'all',
        score_test: bool = True,
    ) -> None:
        super().__init__()
        check_integer(
            1, steps_per_epoch=steps_per_epoch, router_walks=router_walks
        )
        for column in router_input or ():
            check_choice('router_input', column, COLUMNS)
        check_choice('predict_split', predict_split, (*SPLITS, 'all'))
        known = {score for scores in SCORES.values() for score in scores}
        check_choice('metric', metric, (None, *sorted(known)))
        self.source = name
        self.root = root
        self.split = split
        self.split_seed = split_seed
        self.undirected = undirected
        self.metric = metric
        self.normalize_features = normalize_features
        hops = NodeHops(
            two_hop or 'exact', max_hop2_pairs, max_hop2_neighbors, hop2_seed
        )
        self.two_hop = None if two_hop is None else hops
        self.router_input = None
        if router_input:
            self.router_input = RouterInput(router_input, router_walks)
        self.steps_per_epoch = steps_per_epoch
        self.batches = BatchSettings(
            batch, num_parts, parts_per_batch, batch_size, num_neighbors
        )
        self.full_evaluation = full_evaluation
        self.predict_split = predict_split
        self.score_test = score_test
        self.splits: dict[str, Tensor] = {}
        self._graph: NodeGraph | None = None

    def load(self) -> NodeGraph:
        """Loads the graph."""
        return load_nodes(
            self.source,
            self.root,
            self.split,
            self.split_seed,
            self.undirected,
        )

    @property
    def graph(self) -> NodeGraph:
        """The graph, which is loaded when it is needed first."""
        if self._graph is None:
            self._graph = self.load()
            for note in self._graph.notes:
                rank_zero_info(note)
            if self.normalize_features:
                data = NormalizeFeatures(['x'])(self._graph.data)
                self._graph = self._graph._replace(data=data)
        return self._graph

    @property
    def name(self) -> str:  # type: ignore[override]
        """The name of the graph, which decides on the evaluator."""
        return self.graph.info.name

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
    def router_columns(self) -> int:
        """The number of columns that routers see beside the features."""
        columns = self.router_input
        return 0 if columns is None else columns.num_columns

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
        if self.router_input is not None:
            data = self.router_input(data)
            self._graph = self.graph._replace(data=data)
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
                Data(**{key: data[key] for key in _KEYS if key in data}),
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
