"""The hop-2 edges of one large graph: how many they are, and fewer of them."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import torch
from torch import Tensor
from torch_geometric.data import Data

from gmoe.common.arguments import check_choice, check_integer
from gmoe.common.memory import shown_bytes, usable_memory
from gmoe.datasets.nodes.splits import MAX_SEED
from gmoe.ops.two_hop import MODES, Mode
from gmoe.training.hop2_pairs import some_of_all, some_of_each, some_pairs
from gmoe.transforms import TwoHop

# Two 64-bit ids of a pair, and what a path takes while pairs are made.
_PAIR_BYTES, _PATH_BYTES = 16, 32
#: As many paths are all made, and pairs are drawn of them.
FEW_PATHS = 2**24
#: As many paths are looked at in turn, in minutes. Of more, some are drawn.
MANY_PATHS = 2**33


@dataclass(frozen=True)
class NodeHops:
    """Makes the hop-2 edges of one graph, one for each pair of nodes.

    A node with :math:`d` neighbours makes about :math:`d^2` paths. With
    :obj:`max_pairs`, no more than these are made: where there are more, they
    are drawn, for training and evaluation alike. With :obj:`max_neighbors`,
    all are made, and evaluation uses all of them, while in training a node
    looks at that many at most. Where all would not fit into memory, evaluation
    looks at the drawn ones, too.

    Each pair is as likely to be drawn as any other. Only of
    :obj:`"released"` hop-2 edges, and of more than some billion paths, a pair
    is more likely if several paths lead from the one node to the other.

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
        check_integer(0, MAX_SEED, hop2_seed=self.seed)

    def ahead(self, data: Data) -> str:
        """Says, before they are made, how many they may be.

        Args:
            data: The graph.
        """
        paths, pairs = self._most(data)
        kept = self.most_pairs(data)
        line = f'Hop-2 edges: at most {pairs:,} pairs'
        if self._fit_not(data):
            line += (
                ', which would not fit into half of the memory: evaluation '
                f"looks at 'max_hop2_neighbors', too, at most {kept:,}"
            )
        elif kept < pairs:
            line += f", of which 'max_hop2_pairs' keeps {kept:,}"
        if kept < pairs:
            paths = min(paths, max(4 * kept, FEW_PATHS))
        return (
            f'{line}; they take up to {shown_bytes(kept * _PAIR_BYTES)}, and '
            f'up to {shown_bytes(paths * _PATH_BYTES)} while they are made'
        )

    def most_pairs(self, data: Data) -> int:
        """The most hop-2 edges that :meth:`make` can give a graph.

        Args:
            data: The graph.
        """
        if self._fit_not(data):
            return data.num_nodes * (self.max_neighbors or 0)
        return min(self._most(data)[1], self.max_pairs or sys.maxsize)

    def make(self, data: Data) -> Tensor:
        """The hop-2 edges of a graph, of shape ``[2, num_pairs]``.

        Args:
            data: The graph.

        Raises:
            ValueError: If there are too many of them.
        """
        edge_index, size = data.edge_index, data.num_nodes
        if self._fit_not(data):
            assert self.max_neighbors is not None
            return some_of_all(edge_index, size, self.max_neighbors, self.seed)
        if self.max_pairs is None:
            hops = TwoHop(self.mode, coalesce=True)
        elif self.mode == 'exact' and FEW_PATHS < self._most(data)[0] <= (
            MANY_PATHS
        ):
            return some_pairs(edge_index, size, self.max_pairs, self.seed)
        else:
            hops = TwoHop(self.mode, True, self.max_pairs, self.seed)
        graph = Data(edge_index=edge_index, num_nodes=size)
        return hops(graph).edge_index_2hop

    def _most(self, data: Data) -> tuple[int, int]:
        paths = num_paths(data.edge_index, data.num_nodes)
        return paths, min(paths, data.num_nodes * (data.num_nodes - 1))

    def _fit_not(self, data: Data) -> bool:
        if self.max_neighbors is None or self.max_pairs is not None:
            return False
        paths, pairs = self._most(data)
        if self.mode != 'exact' or paths <= FEW_PATHS:
            return False
        return pairs * _PATH_BYTES > usable_memory() // 2

    def for_training(
        self, edge_index: Tensor, num_nodes: int, seed: int | None = None
    ) -> Tensor:
        """The hop-2 edges that training looks at.

        Args:
            edge_index: All of them, of shape ``[2, num_pairs]``.
            num_nodes: The number of nodes.
            seed: Decides on them. (default: the one of all)
        """
        if self.max_neighbors is None:
            return edge_index
        seed = self.seed if seed is None else seed
        return some_of_each(edge_index, num_nodes, self.max_neighbors, seed)


def num_paths(edge_index: Tensor, num_nodes: int) -> int:
    """The number of paths of two edges.

    Args:
        edge_index: The edges, of shape ``[2, num_edges]``.
        num_nodes: The number of nodes.
    """
    degree = torch.bincount(edge_index[0], minlength=num_nodes)
    return int(degree[edge_index[1]].sum())
