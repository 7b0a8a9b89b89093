"""Tells hop-2 edges that belong to other hop-1 edges."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch_geometric.data import Batch, Data

from gmoe.nn.edge_check import TWO_HOP_LAST
from gmoe.transforms.checks import node_ptr

#: What :class:`~gmoe.transforms.TwoHop` notes about the hop-1 edges. PyG
#: takes no attribute of this name for one of nodes or edges.
FINGERPRINT = 'hop_fingerprint'


def hop_fingerprint(data: Data) -> Tensor:
    r"""A number for the hop-1 edges of each graph, whatever their order: the
    sum of one 64-bit hash per edge of the positions of its two nodes in the
    graph. A graph without edges has zero.

    It is part of what processed datasets hold on disk, so what it is for the
    same edges must not change.

    Args:
        data: A graph or a batch of graphs.

    Shapes:
        - **output:** int64 of shape :math:`(B)`, 1 for a single graph
    """
    source, target = data.edge_index
    if not isinstance(data, Batch):
        return _hashes(source, target).sum().view(1)
    graph = data.batch[source]
    start = node_ptr(data)[graph]
    out = start.new_zeros(data.num_graphs)
    return out.index_add_(0, graph, _hashes(source - start, target - start))


def check_two_hop(data: Any) -> None:
    r"""Refuses hop-2 edges that :class:`~gmoe.transforms.TwoHop` made of
    other hop-1 edges than those that a graph, or a batch of graphs, holds
    now: of a graph that has lost, gained or renumbered nodes or edges since.

    It compares fingerprints, in time linear in the edges, and waits for the
    device of the data. Hop-2 edges without one, such as those that an older
    version made, are taken as they are. It does not notice other features of
    the same edges, or other nodes without edges at the end.

    Args:
        data: The graph or batch; what is no PyG :class:`Data`, or has no
            hop-2 edges, is left alone.

    Raises:
        ValueError: If the hop-2 edges are out of date.
    """
    if not isinstance(data, Data) or FINGERPRINT not in data:
        return
    if data.get('edge_index_2hop') is None:
        return
    # The sums over all graphs: of a graph without edges the row may be lost.
    now, then = hop_fingerprint(data).sum(), data[FINGERPRINT].sum()
    if int(now) != int(then):
        raise ValueError(
            "'edge_index_2hop' must belong to 'edge_index', got the hop-2 "
            f'edges of other hop-1 edges: {TWO_HOP_LAST}'
        )


def _hashes(source: Tensor, target: Tensor) -> Tensor:
    # Products and sums wrap around. An odd factor loses nothing, and a shift
    # lets the high bits decide about the low ones (as in SplitMix64). From
    # one on, for an edge from node 0 to node 0 to count.
    out = (source + 1) * 0x1E3779B97F4A7C15 + (target + 1) * 0x3F58476D1CE4E5B9
    out ^= out >> 32
    out *= 0x14D049BB133111EB
    out ^= out >> 29
    out *= 0x2545F4914F6CDD1D
    return out ^ (out >> 32)
