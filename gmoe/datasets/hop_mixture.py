"""A dataset in which some graphs need hop 1 and some need hop 2."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data, InMemoryDataset
from torch_geometric.utils import cumsum

SPLITS = ('train', 'valid', 'test')
MIN_NODES, MAX_NODES = 10, 20
MAX_EXTRA_EDGES = 4
MIN_VOTES = 3
MIN_FAR_NODES = 3


class HopMixture(InMemoryDataset):
    r"""A seeded dataset for binary graph classification that is generated
    in memory, and that no single range of neighbourhood can solve.

    Each graph is sparse and random, as a molecule is, and each node has a
    random colour. One node is marked as the query. The label is the colour
    of the majority of the neighbours of the query in one half of the graphs
    (mode 0), and of the nodes at distance exactly two in the other half
    (mode 1). All nodes of a graph show its mode, hence which hop to use:

    * Both neighbourhoods of a query have an odd size of at least three and
      a majority by one vote, so that there are no ties.
    * Modes, labels, the majority of the neighbourhood that is not asked
      for, and the colour of the query are independent of one another: a
      model that counts the wrong neighbourhood is at chance.
    * The nodes farther away balance the colours of the graph, so that
      counting all nodes tells nothing about the label.
    * Edge features are random and tell nothing either.

    The same :obj:`num_graphs` and :obj:`seed` give the same graphs on every
    platform, and each part of the split has randomness of its own.

    Args:
        num_graphs (int, optional): The number of graphs of all parts
            together, of which 80 % are for training, 10 % for validation,
            and the others for testing. (default: :obj:`10000`)
        seed (int, optional): The seed. (default: :obj:`0`)
        split (str, optional): One of :obj:`"train"`, :obj:`"valid"` (or
            :obj:`"val"`) and :obj:`"test"`. If not given, the dataset holds
            all of them, and :meth:`get_idx_split` tells which is which.
            (default: :obj:`None`)
        transform (callable, optional): Transforms each graph on access.
            (default: :obj:`None`)

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

    num_tasks = 1
    task_type = 'binary classification'
    eval_metric = 'acc'

    def __init__(
        self,
        num_graphs: int = 10_000,
        seed: int = 0,
        split: str | None = None,
        transform: Callable[[Any], Any] | None = None,
    ) -> None:
        if num_graphs < 10:
            raise ValueError(
                f"'num_graphs' needs to be at least 10 (got {num_graphs})"
            )
        if seed < 0:
            raise ValueError(f"'seed' needs to be non-negative (got {seed})")
        self.split = 'valid' if split == 'val' else split
        if self.split not in (None, *SPLITS):
            raise ValueError(
                f"'split' needs to be one of {SPLITS} or None (got {split!r})"
            )
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
        self._data, self.slices = _collate(
            {key: torch.cat([t[key] for t in tensors]) for key in tensors[0]},
            graph_id,
        )

    def _all_parts(self) -> dict[str, Tensor]:
        num_train = self.num_graphs * 8 // 10
        num_valid = self.num_graphs // 10
        sizes = [num_train, num_valid, self.num_graphs - num_train - num_valid]
        return dict(zip(SPLITS, torch.arange(self.num_graphs).split(sizes)))

    def get_idx_split(self) -> dict[str, Tensor]:
        """Returns the graphs of the parts `train`, `valid` and `test`.

        Raises:
            ValueError: If the dataset is one part only.
        """
        if self.split is not None:
            raise ValueError(
                f"'get_idx_split' needs a dataset with "
                f"'split=None' (got {self.split!r})"
            )
        return self._all_parts()

    @property
    def num_classes(self) -> int:
        return 2


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
    num_nodes, adj, query = _queried_graphs(bits, num_graphs)
    is_node = np.arange(MAX_NODES) < num_nodes[:, None]

    # Each combination of these is as frequent as the others.
    order = bits.permutation(num_graphs)
    mode, label, other, query_color = (order // 2**i % 2 for i in range(4))
    color = _colors(
        bits,
        num_nodes,
        adj,
        query,
        query_color,
        majority_1=np.where(mode == 0, label, other),
        majority_2=np.where(mode == 0, other, label),
    )

    mark = np.arange(MAX_NODES) == query[:, None]
    shown = np.broadcast_to(mode[:, None], color.shape)
    x = np.stack([color, mark, shown], axis=-1)[is_node]

    graph, a, b = np.nonzero(np.triu(adj))
    edge = np.stack([a, b, b, a], axis=-1).reshape(-1, 2)
    edge_attr = bits.integers(HopMixture.edge_feature_dims[0], len(a), 1)
    return {
        'x': torch.from_numpy(x.astype(np.int64)),
        'hop': torch.from_numpy((shown + 1)[is_node]),
        'edge': torch.from_numpy(edge.astype(np.int64)),
        'edge_attr': torch.from_numpy(edge_attr.repeat(2, axis=0)),
        'y': torch.from_numpy(label[:, None].astype(np.float32)),
        'num_nodes': torch.from_numpy(num_nodes),
        'num_edges': torch.from_numpy(
            2 * np.bincount(graph, minlength=num_graphs)
        ),
    }


def _colors(
    bits: _Bits,
    num_nodes: np.ndarray,
    adj: np.ndarray,
    query: np.ndarray,
    query_color: np.ndarray,
    majority_1: np.ndarray,
    majority_2: np.ndarray,
) -> np.ndarray:
    """Returns random colours with given majorities around the query."""
    graphs = np.arange(len(query))
    near_1, near_2 = adj[graphs, query], _distance_2(adj)[graphs, query]
    far = np.arange(MAX_NODES) < num_nodes[:, None]
    far &= ~near_1 & ~near_2
    far[graphs, query] = False

    num_1 = near_1.sum(1) // 2 + majority_1
    num_2 = near_2.sum(1) // 2 + majority_2
    half = (num_nodes + bits.integers(2, len(query))) // 2
    color = _choose(bits, near_1, num_1) | _choose(bits, near_2, num_2)
    color |= _choose(bits, far, half - num_1 - num_2 - query_color)
    color[graphs, query] = query_color == 1
    return color


def _choose(bits: _Bits, mask: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Returns `count` random members of each row of `mask`."""
    key = bits.integers(2**31, *mask.shape)
    key[~mask] = 2**31
    rank = key.argsort(axis=1, kind='stable').argsort(axis=1, kind='stable')
    return rank < count[:, None]


def _queried_graphs(
    bits: _Bits,
    num_graphs: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns sizes, adjacencies and queries of as many random graphs."""
    out: list[tuple[np.ndarray, ...]] = []
    missing = num_graphs
    while missing > 0:
        num_nodes, adj = _random_graphs(bits, missing)
        degree, degree_2 = adj.sum(2), _distance_2(adj).sum(2)
        fits = (degree % 2 == 1) & (degree_2 % 2 == 1)
        fits &= (degree >= MIN_VOTES) & (degree_2 >= MIN_VOTES)
        num_far = num_nodes[:, None] - 1 - degree - degree_2
        fits &= num_far >= MIN_FAR_NODES
        # Any fitting node may be the query, each with the same chance.
        count = fits.sum(1)
        rank = bits.integers(np.maximum(count, 1), missing)
        query = (fits.cumsum(1) > rank[:, None]).argmax(1)
        found = count > 0
        out.append((num_nodes[found], adj[found], query[found]))
        missing -= int(found.sum())
    num_nodes, adj, query = (np.concatenate(parts) for parts in zip(*out))
    return num_nodes, adj, query


def _random_graphs(
    bits: _Bits,
    num_graphs: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns sizes and padded adjacencies of random trees with cycles."""
    num_nodes = MIN_NODES + bits.integers(
        MAX_NODES - MIN_NODES + 1, num_graphs
    )
    adj = np.zeros((num_graphs, MAX_NODES, MAX_NODES), dtype=bool)
    graphs = np.arange(num_graphs)
    for node in range(1, MAX_NODES):
        # A window of parents gives chains with branches, few hubs.
        parent = node - 1 - bits.integers(min(node, 4), num_graphs)
        adj[graphs, node, parent] = node < num_nodes
    for i in range(MAX_EXTRA_EDGES):
        a = bits.integers(num_nodes, num_graphs)
        b = bits.integers(num_nodes, num_graphs)
        is_edge = (a != b) & (i < num_nodes // 4)
        adj[graphs, a, b] |= is_edge
    return num_nodes, adj | adj.transpose(0, 2, 1)


def _distance_2(adj: np.ndarray) -> np.ndarray:
    """Returns the pairs of nodes at distance exactly two."""
    count = adj.astype(np.float32)
    return (count @ count > 0) & ~adj & ~np.eye(MAX_NODES, dtype=bool)


def _collate(
    tensors: dict[str, Tensor],
    graph_id: Tensor,
) -> tuple[Data, dict[str, Tensor]]:
    """Returns the graphs in PyG's storage format of a dataset."""
    data = Data(
        x=tensors['x'],
        edge_index=tensors['edge'].t().contiguous(),
        edge_attr=tensors['edge_attr'],
        y=tensors['y'],
        hop=tensors['hop'],
        graph_id=graph_id,
    )
    nodes, edges = cumsum(tensors['num_nodes']), cumsum(tensors['num_edges'])
    single = torch.arange(graph_id.numel() + 1)
    return data, {
        'x': nodes,
        'edge_index': edges,
        'edge_attr': edges,
        'y': single,
        'hop': nodes,
        'graph_id': single,
    }
