"""Which (expert, node) pairs the routed nodes look at."""

from __future__ import annotations

import torch
from torch import Tensor


def needed_rows(
    node: Tensor,
    expert: Tensor,
    source: Tensor,
    target: Tensor,
    num_nodes: int,
    num_experts: int,
) -> tuple[Tensor, Tensor, Tensor]:
    r"""Finds the rows that experts need which transform before they
    aggregate: for each expert the nodes routed to it and their in-neighbours,
    each once.

    Args:
        node: The node of each slot, int64 of shape :math:`(S)`.
        expert: The expert of each slot, int64 of shape :math:`(S)`.
        source: Source of each edge, int64 of shape :math:`(E)`.
        target: Target of each edge, int64 of shape :math:`(E)`.
        num_nodes: Number of nodes :math:`N`.
        num_experts: Number of experts :math:`n`.

    Returns:
        The node of each row, int64 of shape :math:`(R)`, ordered by expert
        and node; the expert pointer, int64 of shape :math:`(n + 1)`; and the
        row of each (expert, node) pair, int64 of shape :math:`(n, N)`, which
        has a meaning only where the pair is needed.
    """
    routed = torch.zeros(
        num_experts, num_nodes, dtype=torch.int32, device=node.device
    )
    routed[expert, node] = 1
    needed = routed.index_add(1, source, routed[:, target]) > 0
    row_of = needed.view(-1).cumsum(0).view(num_experts, num_nodes) - 1
    rows = needed.sum(dim=1)
    ptr = torch.cat([rows.new_zeros(1), rows.cumsum(0)])
    return needed.nonzero()[:, 1], ptr, row_of
