"""The hop-2 edges of one large graph: how many they are, and fewer of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch_geometric.data import Data

from gmoe.common.arguments import check_choice, check_integer
from gmoe.ops.two_hop import MODES, Mode
from gmoe.transforms import TwoHop

# Two 64-bit ids of a pair, and what a path takes while pairs are made.
_PAIR_BYTES, _PATH_BYTES = 16, 32


@dataclass(frozen=True)
class NodeHops:
    """Makes the hop-2 edges of one graph, one for each pair of nodes.

    A node with :math:`d` neighbours makes about :math:`d^2` paths. With
    :obj:`max_pairs`, no more than these are made: where there are more, they
    are drawn, for training and evaluation alike. With :obj:`max_neighbors`,
    all are made, and evaluation uses all of them, while in training a node
    looks at that many at most.

    Args:
        mode: :obj:`"exact"` or :obj:`"released"`; see
            :class:`~gmoe.transforms.TwoHop`.
        max_pairs: The most pairs. (default: as many as take half of the
            memory; more are an error)
        max_neighbors: The most hop-2 neighbours of a node in training.
            (default: all)
        seed: Decides on what is drawn.

    Raises:
        ValueError: If an argument is out of range.
    """

    mode: Mode = 'exact'
    max_pairs: int | None = None
    max_neighbors: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice('two_hop', self.mode, MODES)
        if self.max_pairs is not None:
            check_integer(1, max_hop2_pairs=self.max_pairs)
        if self.max_neighbors is not None:
            check_integer(1, max_hop2_neighbors=self.max_neighbors)
        check_integer(0, seed=self.seed)

    def ahead(self, data: Data) -> str:
        """Says, before they are made, how many they may be.

        Args:
            data: The graph.
        """
        paths = num_paths(data.edge_index, data.num_nodes)
        pairs = min(paths, data.num_nodes * (data.num_nodes - 1))
        line = f'Hop-2 edges: at most {pairs:,} pairs'
        if self.max_pairs is not None and pairs > self.max_pairs:
            pairs = self.max_pairs
            line += f", of which 'max_hop2_pairs' keeps {pairs:,}"
            paths = min(paths, max(4 * pairs, 2**24))
        return (
            f'{line}; they take up to {_shown(pairs * _PAIR_BYTES)}, and up '
            f'to {_shown(paths * _PATH_BYTES)} while they are made'
        )

    def make(self, data: Data) -> Data:
        """Adds the hop-2 edges to a graph.

        Args:
            data: The graph.

        Returns:
            A graph that shares its other values.

        Raises:
            ValueError: If there are too many of them.
        """
        seed = None if self.max_pairs is None else self.seed
        return TwoHop(
            self.mode, coalesce=True, max_edges=self.max_pairs, seed=seed
        )(data)

    def for_training(self, edge_index: Tensor, num_nodes: int) -> Tensor:
        """The hop-2 edges that training looks at.

        Args:
            edge_index: All of them, of shape ``[2, num_pairs]``.
            num_nodes: The number of nodes.
        """
        if self.max_neighbors is None:
            return edge_index
        return some_of_each(
            edge_index, num_nodes, self.max_neighbors, self.seed
        )


def num_paths(edge_index: Tensor, num_nodes: int) -> int:
    """The number of paths of two edges.

    Args:
        edge_index: The edges, of shape ``[2, num_edges]``.
        num_nodes: The number of nodes.
    """
    degree = torch.bincount(edge_index[0], minlength=num_nodes)
    return int(degree[edge_index[1]].sum())


def some_of_each(
    edge_index: Tensor, num_nodes: int, most: int, seed: int
) -> Tensor:
    """Draws some of the edges into each node, all where there are not more.

    Args:
        edge_index: The edges, of shape ``[2, num_edges]``.
        num_nodes: The number of nodes.
        most: The most edges into a node.
        seed: Decides on them.
    """
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.randperm(edge_index.size(1), generator=generator)
    target = edge_index[1][shuffled]
    # The place of each edge among those into its node, in a random order.
    order = target.argsort(stable=True)
    count = torch.bincount(target, minlength=num_nodes)
    first = count.cumsum(0) - count
    place = torch.arange(len(order)) - first[target[order]]
    kept = shuffled[order[place < most]].sort()[0]
    return edge_index[:, kept]


def _shown(size: int) -> str:
    for unit in ('B', 'KB', 'MB'):
        if size < 1000:
            return f'{size:.0f} {unit}'
        size = size / 1000  # type: ignore[assignment]
    return f'{size:,.1f} GB'
