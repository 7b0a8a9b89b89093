"""The LightningDataModule of one graph whose nodes are classified."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torch_geometric.data import Data
from torch_geometric.transforms import NormalizeFeatures

from gmoe.common.arguments import check_choice, check_integer
from gmoe.datasets import NodeGraph, load_nodes
from gmoe.ops.two_hop import Mode
from gmoe.training.batches import as_it_is
from gmoe.training.graph_data_module import SPLITS
from gmoe.training.node_hops import NodeHops
from gmoe.training.task import MULTICLASS, SCORES
from gmoe.training.task_data_module import TaskDataModule

_MASKS = {'train': 'train_mask', 'valid': 'val_mask', 'test': 'test_mask'}


class NodeDataModule(TaskDataModule):
    """One graph whose nodes are classified, as a whole in each step.

    A step is given the graph, and the nodes of its split that count:
    :obj:`target`, their numbers; :obj:`y`, what they are to be; and
    :obj:`graph_id`, again their numbers, by which scores count them once.

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
        steps_per_epoch: The number of training steps between two
            validations.
        predict_split: The nodes that are predicted: :obj:`"train"`,
            :obj:`"valid"`, :obj:`"test"` or :obj:`"all"`.
        score_test: Whether :obj:`gmoe fit` ends with the score of the test
            nodes, by the epoch that validation selects.

    Raises:
        ValueError: If an argument is out of range.
    """

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
        steps_per_epoch: int = 1,
        predict_split: str = 'all',
        score_test: bool = True,
    ) -> None:
        super().__init__()
        check_integer(1, steps_per_epoch=steps_per_epoch)
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
        self.steps_per_epoch = steps_per_epoch
        self.predict_split = predict_split
        self.score_test = score_test
        self.splits: dict[str, Tensor] = {}
        self._graph: NodeGraph | None = None
        self._hop2: dict[bool, Tensor] = {}
        self._on_device: dict[tuple[torch.device, bool], Data] = {}

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
        if self.two_hop is not None:
            rank_zero_info(self.two_hop.ahead(data))
            made = self.two_hop.make(data)
            pairs = made.edge_index_2hop
            fewer = self.two_hop.for_training(pairs, data.num_nodes)
            self._hop2 = {False: pairs, True: fewer}
            rank_zero_info(
                f'Made {pairs.size(1):,} hop-2 edges; training looks at '
                f'{fewer.size(1):,}'
            )

    def train_dataloader(self) -> DataLoader:
        return self._loader('train', self.steps_per_epoch)

    def val_dataloader(self) -> DataLoader:
        return self._loader('valid')

    def test_dataloader(self) -> DataLoader:
        return self._loader('test')

    def predict_dataloader(self) -> DataLoader:
        return self._loader(self.predict_split)

    def on_after_batch_transfer(
        self, batch: Data, dataloader_idx: int
    ) -> Data:
        is_training = self.trainer is not None and self.trainer.training
        graph = self._graph_on(batch.y.device, is_training)
        for key in ('x', 'edge_index', 'edge_weight', 'edge_index_2hop'):
            if key in graph:
                batch[key] = graph[key]
        return batch

    def _graph_on(self, device: torch.device, is_training: bool) -> Data:
        """The graph on a device, moved once."""
        # Training and evaluation differ in the hop-2 edges only.
        fewer = is_training and self._hop2.get(True) is not self._hop2.get(
            False
        )
        key = device, fewer
        if key not in self._on_device:
            data = self.graph.data
            keys = ('x', 'edge_index', 'edge_weight')
            values = {k: data[k] for k in keys if k in data}
            if fewer in self._hop2:
                values['edge_index_2hop'] = self._hop2[fewer]
            self._on_device[key] = Data(**values).to(device)
        return self._on_device[key]

    def _loader(self, split: str, steps: int = 1) -> DataLoader:
        y = self.graph.data.y
        nodes = torch.arange(len(y)) if split == 'all' else self.splits[split]
        # The generator: a loader draws a number when it starts, which a
        # resumed run does at another time.
        return DataLoader(
            _Steps(nodes, y[nodes], steps),
            batch_size=None,
            collate_fn=as_it_is,
            generator=torch.Generator(),
        )

    def prediction_table(self, joined: dict[str, Tensor]) -> pd.DataFrame:
        """Predictions as a table: the id of each node, its split, class and
        predicted class, and the probability of each class; of several
        labels, each label and its probability.

        Args:
            joined: The numbers of the nodes, ``graph_id``; their ``target``
                and ``prediction``, as the module has them.
        """
        graph, node = self.graph, joined['graph_id'].numpy()
        ids = np.arange(graph.data.num_nodes)
        ids = ids if graph.ids is None else np.array(graph.ids, dtype=object)
        split = np.full(len(ids), '', dtype=object)
        for name, index in self.splits.items():
            split[index.numpy()] = name
        columns: dict[str, Any] = {'node': ids[node], 'split': split[node]}
        probability = joined['prediction'].float()
        target = joined['target']
        if probability.size(1) > 1 and self.task_type != MULTICLASS:
            for i, name in enumerate(graph.classes):
                columns[f'label_{name}'] = target[:, i].numpy()
                columns[f'p_{name}'] = probability[:, i].numpy()
            return pd.DataFrame(columns)
        if probability.size(1) == 1:
            probability = torch.cat([1 - probability, probability], dim=1)
        names = np.array([*graph.classes, ''], dtype=object)
        known = target.view(-1).nan_to_num(-1).long().numpy()
        columns['class'] = names[known]
        columns['predicted'] = names[probability.argmax(dim=1).numpy()]
        for i, name in enumerate(graph.classes):
            columns[f'p_{name}'] = probability[:, i].numpy()
        return pd.DataFrame(columns)


class _Steps(Dataset):
    """The same nodes in each step."""

    def __init__(self, nodes: Tensor, y: Tensor, steps: int) -> None:
        self.nodes, self.y, self.steps = nodes, y, steps

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Data:
        # By keyword, and no 'x': PyG would guess a number of nodes.
        return Data(target=self.nodes, y=self.y, graph_id=self.nodes)
