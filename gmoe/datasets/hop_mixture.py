"""A dataset in which some graphs need hop 1 and some need hop 2."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from gmoe.common.arguments import check_choice, check_integer
from gmoe.datasets.collated import CollatedDataset

SPLITS = ('train', 'valid', 'test')
MIN_NODES, MAX_NODES = 10, 20
MAX_EXTRA_EDGES = 4
VOTES = (3, 5)
MIN_FAR_NODES = 3


class HopMixture(CollatedDataset):
    r"""A seeded dataset for binary graph classification that is generated
    in memory, and that no single range of neighbourhood can solve.

    Each graph is sparse and random, as a molecule is, and each node has a
    random colour. One node is marked as the query. In one half of the graphs
    (mode 0) the label tells whether the majority of the neighbours of the
    query have its colour; in the other half (mode 1) whether the nodes at
    distance exactly two all have one colour. All nodes of a graph show its
    mode, hence which hop to use:

    * A query has as many neighbours as nodes at distance two, 3 or 5. They
      have all one colour, or are split with a majority of one.
    * Modes, labels, what is not asked for, and all colours by themselves are
      independent of one another.
    * Hop-2 edges never lead from a query to its neighbours, nor do several of
      them in a row (near the query the graph is a tree).
    * Each neighbour of the query sees one node at distance two only, so that
      no single hop-1 neighbourhood shows whether these agree. A network of
      two layers that looks at hop 1 can sum their colours at the query in its
      last layer, but is left without a layer to compare them.
    * Edge features are random and tell nothing.

    The same :obj:`num_graphs` and :obj:`seed` give the same graphs on every
    platform, and each part of the split has randomness of its own.

    Args:
        num_graphs: The number of graphs of all parts together, of which 80 %
            are for training, 10 % for validation, and the others for testing.
        seed: The seed.
        split: One of :obj:`"train"`, :obj:`"valid"` (or :obj:`"val"`) and
            :obj:`"test"`. If not given, the dataset holds all of them, and
            :meth:`get_idx_split` tells which is which.
        transform: Transforms each graph on access.

    Shapes:
        - **graph:** :obj:`x` :math:`(|V|, 3)` (colour, query mark, mode),
          :obj:`edge_index` :math:`(2, |E|)`, :obj:`edge_attr`
          :math:`(|E|, 1)`, :obj:`y` :math:`(1, 1)`, :obj:`hop`
          :math:`(|V|)` (the right hop, 1 or 2), :obj:`graph_id`
          :math:`(1)`

    Raises:
        ValueError: If an argument is out of range.
    """

    #: The number of categories of each feature of a node, and of an edge.
    node_feature_dims = (2, 2, 2)
    edge_feature_dims = (3,)

    num_tasks, num_classes = 1, 2
    task_type = 'binary classification'
    eval_metric = 'acc'

    def __init__(
        self,
        num_graphs: int = 10_000,
        seed: int = 0,
        split: str | None = None,
        transform: Callable[[Any], Any] | None = None,
    ) -> None:
        check_integer(10, num_graphs=num_graphs)
        check_integer(0, seed=seed)
        self.split = 'valid' if split == 'val' else split
        check_choice('split', self.split, (None, *SPLITS))
        super().__init__(None, transform)
        self.num_graphs = num_graphs
        self.seed = seed

        parts = SPLITS if self.split is None else (self.split,)
        index = self._all_parts()
        tensors = [
            _generate(_Bits(seed, SPLITS.index(part)), index[part].numel())
            for part in parts
        ]
        graph_id = torch.cat([index[part] for part in parts])
        joined = {
            key: torch.cat([t[key] for t in tensors]) for key in tensors[0]
        }
        num_nodes, num_edges = joined.pop('num_nodes'), joined.pop('num_edges')
        edge_index = joined.pop('edge').t().contiguous()
        data = Data(edge_index=edge_index, graph_id=graph_id, **joined)
        self._hold(data, num_nodes, num_edges)
        self.slices['hop'] = self.slices['x']

    def _all_parts(self) -> dict[str, Tensor]:
        num_train = self.num_graphs * 8 // 10
        num_valid = self.num_graphs // 10
        sizes = [num_train, num_valid, self.num_graphs - num_train - num_valid]
        return dict(zip(SPLITS, torch.arange(self.num_graphs).split(sizes)))

    def get_idx_split(self) -> dict[str, Tensor]:
        """Returns the graphs of the parts `train`, `valid` and `test`, by
        their positions in this (part of a) dataset.

        Raises:
            ValueError: If the dataset is one part only.
        """
        if self.split is not None:
            raise ValueError(
                f"'split' must be None for 'get_idx_split', got {self.split!r}"
            )
        return self._within(self._all_parts(), self.num_graphs)


class _Bits:
    """Random integers that are the same in every version of NumPy.

    NumPy promises that for the raw bits of its generators, but not for the
    numbers that :class:`numpy.random.Generator` makes of them.
    """

    def __init__(self, seed: int, stream: int) -> None:
        sequence = np.random.SeedSequence(seed, spawn_key=(stream,))
        self.source = np.random.PCG64(sequence)

    def integers(self, high: Any, *shape: int) -> np.ndarray:
        """Returns integers below `high`, which broadcasts to `shape`."""
        raw = self.source.random_raw(int(np.prod(shape))).reshape(shape)
        high = np.asarray(high).astype(np.uint64)
        shift = np.uint64(32)
        return (((raw >> shift) * high) >> shift).astype(np.int64)

    def permutation(self, size: int) -> np.ndarray:
        raw = self.source.random_raw(size)
        return np.argsort(raw, kind='stable')


def _generate(bits: _Bits, num_graphs: int) -> dict[str, Tensor]:
    """Returns the tensors of a part of the dataset, graph after graph."""
    # Each combination of these is as frequent as the others.
    order = bits.permutation(num_graphs)
    mode, label, other, larger = (order // 2**i % 2 for i in range(4))
    votes = np.where(larger == 1, VOTES[1], VOTES[0])
    num_nodes, adj = _queried_graphs(bits, votes)
    color = _colors(
        bits,
        votes,
        match=np.where(mode == 0, label, other),
        agree=np.where(mode == 0, other, label),
    )

    nodes = np.arange(MAX_NODES)
    mark = np.broadcast_to(nodes == 0, color.shape)
    shown = np.broadcast_to(mode[:, None], color.shape)
    x = np.stack([color, mark, shown], axis=-1)

    # Positions tell nothing: nodes are numbered at random.
    key = bits.integers(2**31, *color.shape)
    key[nodes >= num_nodes[:, None]] = 2**31
    number = key.argsort(axis=1, kind='stable')
    x = np.take_along_axis(x, number[:, :, None], axis=1)
    adj = np.take_along_axis(adj, number[:, :, None], axis=1)
    adj = np.take_along_axis(adj, number[:, None, :], axis=2)
    is_node = nodes < num_nodes[:, None]

    graph, a, b = np.nonzero(np.triu(adj))
    edge = np.stack([a, b, b, a], axis=-1).reshape(-1, 2)
    edge_attr = bits.integers(HopMixture.edge_feature_dims[0], len(a), 1)
    arrays = {
        'x': x[is_node].astype(np.int64),
        'hop': (shown + 1)[is_node],
        'edge': edge.astype(np.int64),
        'edge_attr': edge_attr.repeat(2, axis=0),
        'y': label[:, None].astype(np.float32),
        'num_nodes': num_nodes,
        'num_edges': 2 * np.bincount(graph, minlength=num_graphs),
    }
    return {key: torch.from_numpy(array) for key, array in arrays.items()}


def _colors(
    bits: _Bits, votes: np.ndarray, match: np.ndarray, agree: np.ndarray
) -> np.ndarray:
    """Returns random colours. The majority of the neighbours (nodes 1 to
    `votes`) matches the query (node 0) or does not; the nodes at distance two
    (the next `votes`) agree or are split.
    """
    node = np.arange(MAX_NODES)
    color = bits.integers(2, len(votes), MAX_NODES) == 1
    for hop, unanimous in enumerate((bits.integers(2, len(votes)), agree)):
        first = 1 + hop * votes[:, None]
        members = (node >= first) & (node < first + votes[:, None])
        majority = bits.integers(2, len(votes))
        split = votes // 2 + majority
        count = np.where(unanimous, majority * votes, split)
        color = np.where(members, _choose(bits, members, count), color)
        if hop == 0:
            color[:, 0] = (majority == 1) == (match == 1)
    return color


def _choose(bits: _Bits, mask: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Returns `count` random members of each row of `mask`."""
    key = bits.integers(2**31, *mask.shape)
    key[~mask] = 2**31
    rank = key.argsort(axis=1, kind='stable').argsort(axis=1, kind='stable')
    return rank < count[:, None]


def _queried_graphs(
    bits: _Bits, votes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns sizes and padded adjacencies of random graphs around a query,
    which is node 0. It has `votes` neighbours, each of these has one further
    neighbour, and the other nodes hang on the latter.
    """
    num_graphs = len(votes)
    graphs = np.arange(num_graphs)
    smallest = np.maximum(MIN_NODES, 1 + 2 * votes + MIN_FAR_NODES)
    num_nodes = smallest + bits.integers(MAX_NODES - smallest + 1, num_graphs)
    adj = np.zeros((num_graphs, MAX_NODES, MAX_NODES), dtype=bool)
    for node in range(1, MAX_NODES):
        # A window of parents gives chains with branches, few hubs.
        window = np.clip(node - 1 - votes, 1, 4)
        parent = node - 1 - bits.integers(window, num_graphs)
        parent = np.where(node <= 2 * votes, node - votes, parent)
        parent = np.where(node <= votes, 0, parent)
        adj[graphs, node, parent] = node < num_nodes
    num_far = num_nodes - 1 - 2 * votes
    for i in range(MAX_EXTRA_EDGES):
        # Only far from the query, where no cycle changes a distance.
        a, b = (
            1 + 2 * votes + bits.integers(num_far, num_graphs)
            for _ in range(2)
        )
        adj[graphs, a, b] |= (a != b) & (i < num_far // 2)
    return num_nodes, adj | adj.transpose(0, 2, 1)
