"""Pairs of nodes at distance two, some targets after others."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

#: The paths that are looked at together: some hundred megabytes.
CHUNK = 2**22


def pairs_by_target(
    edge_index: Tensor, num_nodes: int, chunk: int = CHUNK
) -> Iterator[Tensor]:
    """Yields the pairs at distance exactly two, each once: all into the first
    nodes, then all into the next ones. So they never need be in memory
    together.

    Args:
        edge_index: The edges, of shape ``[2, num_edges]``.
        num_nodes: The number of nodes.
        chunk: The most paths that are looked at together, but for a node that
            has more.
    """
    source, target = edge_index.numpy()
    shape = num_nodes, num_nodes
    ones = np.ones(len(source), dtype=np.int32)
    # Row by row the sources of the edges into a node, each once.
    into = sparse.csr_matrix((ones, (target, source)), shape)
    into.data[:] = 1
    near = (into + sparse.identity(num_nodes, np.int32, 'csr')).tocsr()
    near.data[:] = 1
    paths = into @ np.diff(into.indptr).astype(np.int64)
    number = np.cumsum(paths) // chunk
    bounds = np.flatnonzero(np.diff(number, prepend=-1, append=number[-1] + 1))
    for first, end in zip(bounds, bounds[1:]):
        two = into[first:end] @ into
        two.data[:] = 1
        far = (two - two.multiply(near[first:end])).tocsr()
        far.eliminate_zeros()
        row = np.repeat(np.arange(first, end), np.diff(far.indptr))
        ends = np.stack([far.indices.astype(np.int64), row])
        yield torch.from_numpy(ends)


def some_pairs(
    edge_index: Tensor, num_nodes: int, most: int, seed: int
) -> Tensor:
    """Draws some of the pairs at distance two, each as likely as any other,
    however many paths lead from the one node to the other.

    Args:
        edge_index: The edges.
        num_nodes: The number of nodes.
        most: How many are drawn; all where there are not more.
        seed: Decides on them.
    """
    generator = torch.Generator().manual_seed(seed)
    held: list[tuple[Tensor, Tensor]] = []
    size, limit = 0, 1.0
    for pairs in pairs_by_target(edge_index, num_nodes):
        # Those with the smallest of random keys stay.
        key = torch.rand(
            pairs.size(1), generator=generator, dtype=torch.float64
        )
        may_stay = key < limit
        held.append((pairs[:, may_stay], key[may_stay]))
        size += len(held[-1][1])
        if size > 2 * most:
            held = [_smallest(held, most)]
            size, limit = most, float(held[0][1].max())
    return _smallest(held, most)[0]


def _smallest(
    held: list[tuple[Tensor, Tensor]], most: int
) -> tuple[Tensor, Tensor]:
    pairs = torch.cat([pairs for pairs, _ in held], dim=1)
    key = torch.cat([key for _, key in held])
    chosen = key.topk(min(most, len(key)), largest=False)[1].sort()[0]
    return pairs[:, chosen], key[chosen]


def some_of_all(
    edge_index: Tensor, num_nodes: int, most: int, seed: int
) -> Tensor:
    """Draws some of the pairs into each node, without holding all.

    Args:
        edge_index: The edges.
        num_nodes: The number of nodes.
        most: How many for a node; all where it has not more.
        seed: Decides on them.
    """
    drawn = [
        some_of_each(pairs, num_nodes, most, seed + number)
        for number, pairs in enumerate(pairs_by_target(edge_index, num_nodes))
    ]
    return torch.cat(drawn, dim=1)


def some_of_each(
    edge_index: Tensor, num_nodes: int, most: int, seed: int
) -> Tensor:
    """Draws some of the edges into each node, all where there are not more,
    each as likely as any other: a mean over them is the mean over all, on
    average over seeds.

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
