"""Lists the (expert, node) pairs that the routed nodes look at."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gmoe.ops.grouped_linear import group_of
from gmoe.ops.message import MessageHop, check_slots


def needed_rows(
    node: Tensor,
    expert: Tensor,
    hops: Sequence[MessageHop],
    num_nodes: int,
    slots_per_node: int | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    r"""Finds the rows that experts need which transform before they
    aggregate: for each expert the nodes routed to it and their in-neighbours,
    each once. Their number is known on the device alone: the result has as
    many rows as there could be, and those beyond ``ptr[-1]`` have no
    meaning.

    Args:
        node: The node of each slot, int64 of shape :math:`(S)`.
        expert: The expert of each slot, int64 of shape :math:`(S)`.
        hops: The edges that the experts look at.
        num_nodes: Number of nodes :math:`N`.
        slots_per_node: The number of slots of every node where it is fixed.

    Returns:
        The node of each row, int64 of shape :math:`(R)`, ordered by expert
        and node (some node, where there is no row); the expert pointer, int64
        of shape :math:`(n + 1)`; and the row of each (expert, node) pair,
        int64 of shape :math:`(n, N)`, which has a meaning only where the pair
        is needed.

    Raises:
        ValueError: If a shape, a node, an expert or a pointer is wrong.
    """
    check_slots(node, expert, hops, num_nodes)
    num_experts = sum(hop.num_experts for hop in hops)
    routed = torch.zeros(
        num_experts * num_nodes, dtype=torch.int32, device=node.device
    )
    routed = routed.index_fill(0, expert * num_nodes + node, 1)
    routed = routed.view(num_experts, num_nodes)
    counts = [hop.num_experts for hop in hops]
    needed = torch.cat(
        [
            part.index_add(1, hop.source, part.index_select(1, _target(hop)))
            for part, hop in zip(routed.split(counts), hops)
        ]
    )
    needed = needed > 0
    row_of = needed.view(-1).cumsum(0).view(num_experts, num_nodes) - 1
    rows = needed.sum(dim=1)
    ptr = torch.cat([rows.new_zeros(1), rows.cumsum(0)])
    # Each needed pair writes its node to its row, the others beyond the end.
    limit = _most_rows(node, hops, num_nodes, slots_per_node)
    every = torch.arange(num_nodes, device=node.device)
    # Gradients of unused rows, all zero, are spread over the nodes.
    unused = torch.arange(limit + 1, device=node.device)
    node_of = (unused % torch.sym_max(num_nodes, 1)).scatter(
        0,
        torch.where(needed, row_of, limit).view(-1),
        every.expand(num_experts, -1).reshape(-1),
    )
    return node_of[:limit], ptr, row_of


def _most_rows(
    node: Tensor,
    hops: Sequence[MessageHop],
    num_nodes: int,
    slots_per_node: int | None,
) -> int:
    # A slot needs its node, an edge its source for each slot of its target.
    num_experts = sum(hop.num_experts for hop in hops)
    limit = node.size(0) + sum(
        min(slots_per_node or num_experts, hop.num_experts)
        * hop.source.size(0)
        for hop in hops
    )
    return torch.sym_min(limit, num_experts * num_nodes)


def _target(hop: MessageHop) -> Tensor:
    return group_of(hop.ptr, hop.source.size(0))
