"""Cuts a graph into parts with few edges between them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gmoe.common.arguments import check_integer

#: How much larger than the mean a part may be.
SLACK = 1.1
# New starts for what no part could reach, and rounds of moves afterwards.
_STARTS, _MOVES = 10, 4


def partition_nodes(
    edge_index: Tensor, num_nodes: int, num_parts: int, seed: int = 0
) -> Tensor:
    """Cuts a graph into parts of about the same size, for mini-batches as in
    `"Cluster-GCN" <https://arxiv.org/abs/1905.07953>`_, which uses METIS; this
    needs no other package.

    Parts grow from random nodes: nodes that are next to them join the part
    that most of these edges lead to, where it has room. Then nodes move to the
    part of most of their neighbours. No part is more than a tenth larger than
    the mean. The same arguments give the same parts.

    Args:
        edge_index: The edges, of shape ``[2, num_edges]``, both ways.
        num_nodes: The number of nodes.
        num_parts: The number of parts.
        seed: Decides on where they start.

    Returns:
        The part of each node, int64 of shape ``[num_nodes]``. No part is
        empty.

    Raises:
        ValueError: If there are more parts than nodes, or less than one.
    """
    check_integer(1, num_nodes, num_parts=num_parts)
    source, target = edge_index.numpy()
    growth = _Growth(num_nodes, num_parts, seed)
    growth.grow(source, target)
    growth.fill()
    for _ in range(_MOVES if num_parts > 1 else 0):
        growth.move(source, target)
    return torch.from_numpy(growth.part)


def share_between(edge_index: Tensor, part: Tensor) -> float:
    """The share of the edges that lead from one part to another.

    Args:
        edge_index: The edges.
        part: The part of each node.
    """
    if edge_index.size(1) == 0:
        return 0.0
    ends = part[edge_index]
    return float((ends[0] != ends[1]).float().mean())


class _Growth:
    """The parts while they grow; -1 is none."""

    def __init__(self, num_nodes: int, num_parts: int, seed: int) -> None:
        self.draw = np.random.default_rng(seed)
        self.num_nodes, self.num_parts = num_nodes, num_parts
        self.most = int(np.ceil(SLACK * num_nodes / num_parts))
        self.part = np.full(num_nodes, -1, dtype=np.int64)
        self.size = np.zeros(num_parts, dtype=np.int64)

    def grow(self, source: np.ndarray, target: np.ndarray) -> None:
        order = np.argsort(source, kind='stable')
        after = target[order]
        bounds = np.zeros(self.num_nodes + 1, dtype=np.int64)
        np.cumsum(
            np.bincount(source, minlength=self.num_nodes), out=bounds[1:]
        )
        for _ in range(_STARTS):
            left = np.flatnonzero(self.part < 0)
            parts = np.flatnonzero(self.size < self.most)
            count = min(len(left), len(parts))
            new = self.draw.choice(left, count, replace=False)
            self._join(new, self.draw.permutation(parts)[:count])
            while len(new):  # Each round looks at the edges of new nodes.
                edges = _ranges(bounds[new], bounds[new + 1])
                degree = bounds[new + 1] - bounds[new]
                found = after[edges]
                label = np.repeat(self.part[new], degree)
                is_free = self.part[found] < 0
                found, label, _ = self._most_frequent(
                    found[is_free], label[is_free]
                )
                new = self._join(found, label)

    def fill(self) -> None:
        """Gives nodes that no part could reach to the smallest parts."""
        left = np.flatnonzero(self.part < 0)
        # One after the other, up to where all parts are equally large.
        level = np.sort(
            np.concatenate(
                [
                    np.arange(size, self.most) * self.num_parts + i
                    for i, size in enumerate(self.size)
                ]
            )
        )
        self._join(
            self.draw.permutation(left), level[: len(left)] % self.num_parts
        )

    def move(self, source: np.ndarray, target: np.ndarray) -> None:
        """Moves nodes to the part of most of their neighbours. Half of them:
        two that would change places stay apart else."""
        label = self.part[source]
        node, best, most = self._most_frequent(target, label)
        own = np.bincount(
            target[label == self.part[target]], minlength=self.num_nodes
        )
        is_better = (most > own[node]) & (self.draw.random(len(node)) < 0.5)
        node, best = node[is_better], best[is_better]
        # A part that all would leave keeps its nodes.
        leaving = np.bincount(self.part[node], minlength=self.num_parts)
        stays = leaving[self.part[node]] < self.size[self.part[node]]
        self._join(node[stays], best[stays])

    def _join(self, node: np.ndarray, label: np.ndarray) -> np.ndarray:
        """Lets nodes into parts that have room; returns those."""
        shuffled = self.draw.permutation(len(node))
        order = shuffled[np.argsort(label[shuffled], kind='stable')]
        count = np.bincount(label, minlength=self.num_parts)
        first = np.cumsum(count) - count
        place = np.arange(len(node)) - first[label[order]]
        room = self.most - self.size
        joins = order[place < room[label[order]]]
        node, label = node[joins], label[joins]
        before = self.part[node]
        self.size -= np.bincount(before[before >= 0], minlength=self.num_parts)
        self.size += np.bincount(label, minlength=self.num_parts)
        self.part[node] = label
        return node

    def _most_frequent(
        self, node: np.ndarray, label: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The label that each node is given most often, and how often."""
        pair, count = np.unique(
            node * self.num_parts + label, return_counts=True
        )
        owner = pair // self.num_parts
        # Of those that are as frequent, any.
        order = np.lexsort((self.draw.random(len(pair)), count, owner))
        owner = owner[order]
        is_last = np.append(owner[1:] != owner[:-1], True)[: len(owner)]
        best = order[is_last]
        return owner[is_last], pair[best] % self.num_parts, count[best]


def _ranges(first: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The numbers of all ranges, one range after the other."""
    size = end - first
    before = np.cumsum(size) - size
    return np.arange(size.sum()) + np.repeat(first - before, size)
