"""Counts the hop-2 edges of a graph, and draws some of too many of them."""

from __future__ import annotations

import torch
from torch import Tensor

from gmoe.common.memory import usable_memory
from gmoe.ops._two_hop_eager import Paths, two_hop_eager

# The ends and the edges of a path are four numbers.
_BYTES = 32

# So many paths are made without a thought, at most 512 MiB.
FEW_PATHS = 1 << 24


def num_paths(edge_index: Tensor, num_nodes: int) -> int:
    """The number of paths of two edges, of which hop-2 edges are a part.

    Args:
        edge_index: The edges.
        num_nodes: Number of nodes.
    """
    degree = torch.bincount(edge_index[0], minlength=num_nodes)
    return int(degree[edge_index[1]].sum())


def most_hop_2(edge_index: Tensor, num_nodes: int, coalesce: bool) -> int:
    """An upper bound of the number of hop-2 edges: the number of paths of two
    edges that do not lead back. In a graph without triangles it is exact.

    Args:
        edge_index: The edges.
        num_nodes: Number of nodes.
        coalesce: Whether only one path of each pair is kept.
    """
    there = (edge_index[0] * num_nodes + edge_index[1]).sort()[0]
    back = edge_index[1] * num_nodes + edge_index[0]
    end = torch.searchsorted(there, back, right=True)
    returns = int((end - torch.searchsorted(there, back)).sum())
    most = num_paths(edge_index, num_nodes) - returns
    return min(most, num_nodes * (num_nodes - 1)) if coalesce else most


def most_in_memory(edge_index: Tensor, edge_attr: Tensor | None) -> int:
    """The number of hop-2 edges that take half of the device's memory.

    Args:
        edge_index: The edges, which tell the device.
        edge_attr: Their features.
    """
    size = _BYTES
    if edge_attr is not None and edge_attr.numel() > 0:
        size += 2 * edge_attr[0].numel() * edge_attr.element_size()
    return usable_memory(edge_index.device) // 2 // size


def sample_two_hop(
    edge_index: Tensor,
    num_nodes: int,
    mode: str,
    coalesce: bool,
    batch: Tensor | None,
    size: int,
    seed: int,
) -> tuple[Tensor, Tensor]:
    r"""Hop-2 edges drawn from too many to make them all.

    Paths are drawn, more and more of them until enough are hop-2 edges.

    Args:
        edge_index: As of :func:`~gmoe.ops._two_hop_eager.two_hop_eager`, and
            so on.
        num_nodes: Number of nodes.
        mode: Which paths are hop-2 edges.
        coalesce: Whether only the first path drawn of each pair is kept.
        batch: The graph of each node.
        size: How many hop-2 edges; fewer where hardly any path is one.
        seed: Decides on them, on every device alike.
    """
    paths = Paths(edge_index, num_nodes)
    drawn = 2 * size + 1024
    while True:
        number = choose(paths.total, drawn, seed).to(edge_index.device)
        found = two_hop_eager(
            edge_index, num_nodes, mode, coalesce, batch, paths.edges(number)
        )
        is_enough = found[0].size(1) >= size
        if is_enough or drawn >= min(paths.total, FEW_PATHS):
            break
        drawn *= 4
    kept = choose(found[0].size(1), size, seed).to(edge_index.device)
    return found[0][:, kept], found[1][kept]


def choose(total: int, size: int, seed: int) -> Tensor:
    """Some of the numbers below :obj:`total`, each at most once, ascending.

    Args:
        total: How many there are.
        size: How many are wanted; all if there are not more.
        seed: Decides on them.
    """
    if size >= total:
        return torch.arange(total)
    generator = torch.Generator().manual_seed(seed)
    if total <= 4 * size:
        return torch.randperm(total, generator=generator)[:size].sort()[0]
    out = torch.empty(0, dtype=torch.long)
    while out.numel() < size:
        more = torch.randint(total, (size,), generator=generator)
        out = torch.cat([out, more]).unique()
    kept = torch.randperm(out.numel(), generator=generator)[:size]
    return out[kept].sort()[0]
