"""Pairs of nodes in either direction: each as one number, and others drawn."""

from __future__ import annotations

import torch
from torch import Tensor

from gmoe.common.shown import counted

# Below that many pairs of nodes, all that are no edges are listed.
_FEW = 2**22


def check_pairs(name: str, pairs: Tensor, num_nodes: int) -> None:
    """Refuses what is no pair of two nodes.

    Args:
        name: What error messages call them.
        pairs: The pairs, of shape ``[2, num_pairs]``.
        num_nodes: The number of nodes.

    Raises:
        ValueError: If a node is out of range, or a node is linked to itself.
    """
    if pairs.numel() == 0:
        return
    low, high = int(pairs.min()), int(pairs.max())
    if low < 0 or high >= num_nodes:
        raise ValueError(
            f"'{name}' must hold ids of nodes from 0 to {num_nodes - 1}, got "
            f'{low if low < 0 else high}'
        )
    loop = pairs[0] == pairs[1]
    if loop.any():
        node = int(pairs[0][loop][0])
        raise ValueError(
            f"'{name}' must hold pairs of two nodes, got node {node} with "
            f'itself ({counted(int(loop.sum()), "such pair")})'
        )


def pair_keys(pairs: Tensor, num_nodes: int) -> Tensor:
    """One number for each pair, whatever its direction.

    Args:
        pairs: The pairs, of shape ``[2, num_pairs]``.
        num_nodes: The number of nodes.
    """
    return pairs.amin(dim=0) * num_nodes + pairs.amax(dim=0)


def pairs_of(keys: Tensor, num_nodes: int) -> Tensor:
    """Undoes :func:`pair_keys`, the lower node first.

    Args:
        keys: The numbers.
        num_nodes: The number of nodes.
    """
    return torch.stack([keys // num_nodes, keys % num_nodes])


class NonEdges:
    """Draws pairs of two nodes that are no edges, all with the same
    probability.

    Args:
        edges: The edges, of shape ``[2, num_edges]``.
        num_nodes: The number of nodes.

    Raises:
        ValueError: If all pairs of nodes are edges.
    """

    def __init__(self, edges: Tensor, num_nodes: int) -> None:
        self.num_nodes = num_nodes
        self.keys = pair_keys(edges, num_nodes).unique()
        #: How many there are.
        self.count = num_nodes * (num_nodes - 1) // 2 - self.keys.numel()
        if self.count < 1:
            raise ValueError(
                "'edges' must leave a pair of nodes that is none, got all of "
                f'{num_nodes} nodes'
            )

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Draws pairs, of which some may be the same.

        Args:
            count: How many.
            generator: Decides on them.

        Returns:
            Pairs of shape ``[2, count]``.
        """
        kept = self.keys.new_empty(0)
        while kept.numel() < count:
            # Few are missing in a sparse graph.
            share = self.count * 2 / self.num_nodes**2
            size = int((count - kept.numel()) / share * 1.1) + 16
            ends = torch.randint(
                self.num_nodes, (2, min(size, _FEW)), generator=generator
            )
            key = pair_keys(ends[:, ends[0] != ends[1]], self.num_nodes)
            kept = torch.cat([kept, key[~self._is_edge(key)]])
        return pairs_of(kept[:count], self.num_nodes)

    def draw_different(self, count: int, generator: torch.Generator) -> Tensor:
        """Draws pairs of which no two are the same. The arguments are those
        of :meth:`draw`.

        Raises:
            ValueError: If there are not that many.
        """
        if count > self.count:
            raise ValueError(
                f"'edges' must leave {counted(count, 'pair')} of nodes that "
                f'are none, got {self.count}'
            )
        if self.num_nodes**2 <= _FEW:
            ends = torch.triu_indices(self.num_nodes, self.num_nodes, 1)
            key = pair_keys(ends, self.num_nodes)
            key = key[~self._is_edge(key)]
        else:
            key = self.keys.new_empty(0)
            while key.numel() < count:
                more = self.draw(count - key.numel() + 16, generator)
                more = pair_keys(more, self.num_nodes)
                key = torch.cat([key, more]).unique()
        order = torch.randperm(key.numel(), generator=generator)[:count]
        return pairs_of(key[order], self.num_nodes)

    def _is_edge(self, key: Tensor) -> Tensor:
        if self.keys.numel() == 0:
            return torch.zeros_like(key, dtype=torch.bool)
        at = torch.searchsorted(self.keys, key)
        return self.keys[at.clamp(max=self.keys.numel() - 1)] == key
