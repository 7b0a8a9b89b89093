"""Cuts a graph into parts with few edges between them."""

from __future__ import annotations

import heapq

import numpy as np
import torch
from torch import Tensor

from gmoe.common.arguments import check_integer

#: How much larger than the mean a part may be.
SLACK = 1.1
# Clusters are this many times smaller than parts, and nodes move so often.
_CLUSTERS, _ROUNDS, _MOVES = 16, 6, 4


def partition_nodes(
    edge_index: Tensor, num_nodes: int, num_parts: int, seed: int = 0
) -> Tensor:
    """Cuts a graph into parts of about the same size, for mini-batches as in
    `"Cluster-GCN" <https://arxiv.org/abs/1905.07953>`_, which uses METIS; this
    needs no other package.

    Nodes join the cluster of most of their neighbours, again and again, where
    it has room: label propagation with bounded sizes. Parts are filled with
    clusters, each time with the one that has the most edges to the part. Then
    nodes move to the part of most of their neighbours. No part is more than a
    tenth larger than the mean, rounded up. The same arguments give the same
    parts.

    Args:
        edge_index: The edges, of shape ``[2, num_edges]``, both ways.
        num_nodes: The number of nodes.
        num_parts: The number of parts.
        seed: Decides on all that is drawn.

    Returns:
        The part of each node, int64 of shape ``[num_nodes]``. No part is
        empty.

    Raises:
        ValueError: If there are more parts than nodes, or less than one.
    """
    check_integer(1, num_nodes, num_parts=num_parts)
    source, target = edge_index.numpy()
    draw = np.random.default_rng(seed)
    most = int(np.ceil(SLACK * num_nodes / num_parts))
    clusters = _Labels(np.arange(num_nodes), max(1, most // _CLUSTERS), draw)
    for _ in range(_ROUNDS):
        clusters.move(source, target)
    cluster = np.unique(clusters.label, return_inverse=True)[1]
    packed = _pack(cluster, source, target, num_parts, draw)
    parts = _Labels(packed[cluster], most, draw)
    for _ in range(_MOVES):
        parts.move(source, target, leaves_none_empty=True)
    return torch.from_numpy(parts.label)


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


class _Labels:
    """A label for each node, of which each has room for some nodes."""

    def __init__(
        self, label: np.ndarray, most: int, draw: np.random.Generator
    ) -> None:
        self.label, self.most, self.draw = label, most, draw
        self.size = np.bincount(label)

    def move(
        self,
        source: np.ndarray,
        target: np.ndarray,
        leaves_none_empty: bool = False,
    ) -> None:
        """Moves nodes to the label of most of their neighbours. Half of
        them: two that would change places would never meet."""
        label, count = self.label[source], len(self.size)
        node, best, most = self._most_frequent(target, label)
        own = np.bincount(
            target[label == self.label[target]], minlength=len(self.label)
        )
        moves = (most > own[node]) & (self.draw.random(len(node)) < 0.5)
        node, best = node[moves], best[moves]
        if leaves_none_empty:
            old = self.label[node]
            leaving = np.bincount(old, minlength=count)
            stays = leaving[old] == self.size[old]
            node, best = node[~stays], best[~stays]
        joins = self._with_room(best)
        node, best = node[joins], best[joins]
        self.size -= np.bincount(self.label[node], minlength=count)
        self.size += np.bincount(best, minlength=count)
        self.label[node] = best

    def _with_room(self, label: np.ndarray) -> np.ndarray:
        """Which of those that want a label may have it, drawn where it has
        not room for all."""
        shuffled = self.draw.permutation(len(label))
        order = shuffled[np.argsort(label[shuffled], kind='stable')]
        count = np.bincount(label, minlength=len(self.size))
        first = np.cumsum(count) - count
        place = np.arange(len(label)) - first[label[order]]
        return order[place < (self.most - self.size)[label[order]]]

    def _most_frequent(
        self, node: np.ndarray, label: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The label that each node is given most often, and how often."""
        base = len(self.size)
        pair, count = np.unique(node * base + label, return_counts=True)
        owner = pair // base
        # Of those that are as frequent, any.
        order = np.lexsort((self.draw.random(len(pair)), count, owner))
        owner = owner[order]
        is_last = np.append(owner[1:] != owner[:-1], True)[: len(owner)]
        best = order[is_last]
        return owner[is_last], pair[best] % base, count[best]


def _pack(
    cluster: np.ndarray,
    source: np.ndarray,
    target: np.ndarray,
    num_parts: int,
    draw: np.random.Generator,
) -> np.ndarray:
    """The part of each cluster: parts are filled one after the other."""
    size = np.bincount(cluster)
    count = len(size)
    pair = cluster[source] * count + cluster[target]
    pair, weight = np.unique(pair, return_counts=True)
    first = np.searchsorted(pair, np.arange(count + 1) * count).tolist()
    near, weight = (pair % count).tolist(), weight.tolist()
    part = np.full(count, -1, dtype=np.int64)
    left = iter(draw.permutation(count).tolist())
    total = 0
    for number in range(num_parts):
        gain: dict[int, int] = {}
        heap: list[tuple[int, int]] = []
        while total * num_parts < (number + 1) * len(cluster):
            new = heapq.heappop(heap)[1] if heap else next(left)
            if part[new] >= 0:
                continue
            part[new] = number
            total += int(size[new])
            for i in range(first[new], first[new + 1]):
                if part[near[i]] < 0:
                    gain[near[i]] = gain.get(near[i], 0) + weight[i]
                    heapq.heappush(heap, (-gain[near[i]], near[i]))
    return part
