"""Message passing for routed (node, expert) slots only."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch_geometric.utils import scatter


def routed_message(
    x: Tensor,
    node: Tensor,
    expert: Tensor,
    ptr: Tensor,
    source: Tensor,
    row_of: Tensor | None = None,
    tables: Sequence[Tensor] = (),
    codes: Sequence[Tensor] = (),
    edge_weight: Tensor | None = None,
) -> Tensor:
    r"""Sums the messages of each slot :math:`s`, which is node :math:`i` seen
    by expert :math:`o`:

    .. math::
        \mathbf{h}_s = \sum_{e = (j, i)} w_e \, \mathrm{ReLU} \left(
        \mathbf{x}_{r(o, j)} + \sum_t \mathbf{T}_t[o, c_t(e)] \right)

    Edges come ordered by target. Only the edges of routed nodes are visited.

    Args:
        x: Rows of shape :math:`(R, D)`.
        node: The node of each slot, int64 of shape :math:`(S)`.
        expert: The expert of each slot, int64 of shape :math:`(S)`.
        ptr: The edges of node :math:`i` are ``ptr[i]:ptr[i + 1]``, int64 of
            shape :math:`(N + 1)`.
        source: Source of each edge, int64 of shape :math:`(E)`.
        row_of: The row of :obj:`x` for each (expert, node) pair, int64 of
            shape :math:`(n, N)`; :obj:`None` if the experts share
            :math:`\mathbf{x}_j`.
        tables: Edge terms by code, each of shape :math:`(n, C, D)`, or
            :math:`(1, C, D)` if the experts share them.
        codes: The code of each edge in each table, int64 of shape
            :math:`(E)`.
        edge_weight: Weight of each edge, of shape :math:`(E)`.

    Returns:
        Messages of shape :math:`(S, D)`.
    """
    slot, edge = _expand(node, ptr)
    expert = expert[slot]
    index = source[edge]
    if row_of is not None:
        index = row_of[expert, index]
    message = x.index_select(0, index)
    for table, code in zip(tables, codes):
        num_codes = table.size(1)
        index = code[edge]
        if table.size(0) > 1:
            index = index + expert * num_codes
        message = message + table.flatten(0, 1).index_select(0, index)
    message = message.relu()
    if edge_weight is not None:
        message = message * edge_weight[edge].unsqueeze(-1).to(message.dtype)
    return scatter(message, slot, dim=0, dim_size=node.numel(), reduce='sum')


def _expand(node: Tensor, ptr: Tensor) -> tuple[Tensor, Tensor]:
    # The (slot, edge) pairs, ordered by slot.
    degree = ptr.diff()[node]
    slot = torch.repeat_interleave(
        torch.arange(node.numel(), device=node.device), degree
    )
    start = ptr[node] - (degree.cumsum(0) - degree)
    return slot, torch.arange(slot.numel(), device=slot.device) + start[slot]
