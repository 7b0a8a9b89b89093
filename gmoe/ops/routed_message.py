"""Message passing for routed (node, expert) slots only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.utils import scatter

from gmoe.ops.backend import AVAILABLE, use_native


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
    operands = [x, *tables]
    dtype = x.dtype
    for operand in operands:
        dtype = torch.promote_types(dtype, operand.dtype)
    if use_native(*operands, node):
        if edge_weight is not None:
            accumulate = torch.promote_types(dtype, torch.float32)
            edge_weight = edge_weight.to(accumulate).contiguous()
        return torch.ops.gmoe.routed_message(
            x.to(dtype).contiguous(),
            node.contiguous(),
            expert.contiguous(),
            ptr.contiguous(),
            source.contiguous(),
            None if row_of is None else row_of.contiguous(),
            [table.to(dtype).contiguous() for table in tables],
            [code.contiguous() for code in codes],
            edge_weight,
        )
    return _eager(
        x, node, expert, ptr, source, row_of, tables, codes, edge_weight
    )


def _eager(
    x: Tensor,
    node: Tensor,
    expert: Tensor,
    ptr: Tensor,
    source: Tensor,
    row_of: Tensor | None,
    tables: Sequence[Tensor],
    codes: Sequence[Tensor],
    edge_weight: Tensor | None,
) -> Tensor:
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


def _fake(x: Tensor, node: Tensor, *args: Any) -> Tensor:
    return x.new_empty(node.size(0), x.size(1))


def _fake_backward(
    grad: Tensor,
    x: Tensor,
    node: Tensor,
    expert: Tensor,
    ptr: Tensor,
    source: Tensor,
    row_of: Tensor | None,
    tables: Sequence[Tensor],
    codes: Sequence[Tensor],
    edge_weight: Tensor | None,
    needs_edge_weight: bool,
) -> list[Tensor]:
    grads = [torch.empty_like(x), *(torch.empty_like(t) for t in tables)]
    if needs_edge_weight:
        assert edge_weight is not None
        grads.append(torch.empty_like(edge_weight))
    return grads


def _setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
    x, node, expert, ptr, source, row_of, tables, codes, edge_weight = inputs
    ctx.num_tables = len(tables)
    ctx.save_for_backward(
        x, node, expert, ptr, source, row_of, edge_weight, *tables, *codes
    )


def _backward(ctx: Any, grad: Tensor) -> tuple:
    x, node, expert, ptr, source, row_of, edge_weight, *rest = (
        ctx.saved_tensors
    )
    tables, codes = rest[: ctx.num_tables], rest[ctx.num_tables :]
    needs_edge_weight = edge_weight is not None and ctx.needs_input_grad[8]
    grads = torch.ops.gmoe.routed_message_backward(
        grad.contiguous(),
        x,
        node,
        expert,
        ptr,
        source,
        row_of,
        tables,
        codes,
        edge_weight,
        needs_edge_weight,
    )
    return (
        grads[0],
        *[None] * 5,
        list(grads[1 : 1 + ctx.num_tables]),
        [None] * ctx.num_tables,
        grads[-1] if needs_edge_weight else None,
    )


def _double_backward(ctx: Any, *grads: Any) -> None:
    raise NotImplementedError(
        "'gmoe::routed_message' has no second derivative; "
        'gmoe.ops.eager_ops() gives one'
    )


if AVAILABLE:
    torch.library.register_fake('gmoe::routed_message', _fake)
    torch.library.register_fake(
        'gmoe::routed_message_backward', _fake_backward
    )
    torch.library.register_autograd(
        'gmoe::routed_message', _backward, setup_context=_setup_context
    )
    torch.library.register_autograd(
        'gmoe::routed_message_backward', _double_backward
    )
