"""The hop-2 edges of a call, which belong to the hop-1 edges beside them."""

from __future__ import annotations

import torch
from torch import Tensor

from gmoe.nn.edge_check import TWO_HOP_LAST
from gmoe.nn.neighborhood import Neighborhood

# How many hop-2 edges are looked at, and how many hop-1 edges may be for it
# where the graph has fewer.
_MAX_EDGES = 256
_MIN_BUDGET = 1 << 12


def check_hop_2(hop1: Neighborhood, hop2: Neighborhood) -> None:
    r"""Refuses hop-2 edges :math:`u \to w` without hop-1 edges
    :math:`u \to v \to w`, such as those of a graph that lost or renumbered
    its nodes afterwards, with a :obj:`ValueError`.

    At most 256 hop-2 edges are looked at, spread evenly, which takes no
    sorting and hardly any time: edges that are out of date are many. It is no
    proof, which :func:`gmoe.transforms.check_two_hop` is. Only on the CPU,
    as all checks that would have to wait for a device.

    Args:
        hop1: The hop-1 edges.
        hop2: The hop-2 edges.
    """
    on_cpu = hop1.source.device.type == hop2.source.device.type == 'cpu'
    if not on_cpu or torch.compiler.is_compiling() or hop2.num_edges == 0:
        return
    step = -(-hop2.num_edges // _MAX_EDGES)
    start, end = hop2.source[::step], hop2.target[::step]
    # In a graph with hubs, fewer edges are looked at.
    budget = max(_MIN_BUDGET, hop1.num_edges + hop2.num_edges)
    edge, middle, is_seen = _edges_into(hop1, end, budget)
    path, source, is_followed = _edges_into(hop1, middle, budget)
    path = edge[path]
    accepted = ~is_seen
    accepted[edge[~is_followed]] = True
    accepted[path[source == start[path]]] = True
    if not bool(accepted.all()):
        wrong = int((~accepted).nonzero()[0])
        raise ValueError(
            "'edge_index_2hop' must hold hop-2 edges of 'edge_index', got "
            f'{int(start[wrong])} -> {int(end[wrong])}, where no two edges '
            f'lead: {TWO_HOP_LAST}; edges of another kind go in as a '
            'gmoe.nn.Neighborhood'
        )


def hop_2_of(
    edges: Tensor | Neighborhood | None,
    edge_attr: Tensor | None,
    edge_index: Tensor | Neighborhood | None,
    num_nodes: int,
    reason: str,
) -> Neighborhood:
    """The hop-2 edges of a call, which are sorted and checked unless they
    are.

    Args:
        edges: The hop-2 edges.
        edge_attr: Their features.
        edge_index: The hop-1 edges, to which they must belong.
        num_nodes: The number of nodes.
        reason: Why they are needed.

    Raises:
        ValueError: If they are missing, or wrong.
    """
    if edges is None:
        raise ValueError(
            f"'edge_index_2hop' must be given: {reason}; make them with "
            'gmoe.transforms.TwoHop, got None'
        )
    hop2 = Neighborhood.of(edges, edge_attr, num_nodes, 'edge_index_2hop')
    if isinstance(edges, Tensor) and edge_index is not None:
        check_hop_2(Neighborhood.of(edge_index, None, num_nodes), hop2)
    return hop2


def _edges_into(
    hop: Neighborhood, node: Tensor, budget: int
) -> tuple[Tensor, Tensor, Tensor]:
    # Lists the edges into some nodes: the position of each edge's node among
    # them, and its source. The last tensor says which nodes fit the budget.
    first = hop.ptr[node]
    size = hop.ptr[node + 1] - first
    fits = size.cumsum(0) <= budget
    size = size * fits
    owner = torch.repeat_interleave(size)
    shift = first - (size.cumsum(0) - size)
    position = torch.arange(owner.numel()) + shift[owner]
    return owner, hop.source[position], fits
