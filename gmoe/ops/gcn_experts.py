"""Graph convolutions that transform before they aggregate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gmoe.ops.backend import declare_op, use_native
from gmoe.ops.gather_rows import gather_rows
from gmoe.ops.grouped_linear import grouped_linear
from gmoe.ops.hops import pack_hops, packed_grads, packed_names
from gmoe.ops.message import MessageHop
from gmoe.ops.needed_rows import needed_rows
from gmoe.ops.routed_message import (
    any_needs_grad,
    num_messages,
    num_words,
    routed_message,
)

# From this share of needed rows on, all are computed: one large product.
_DENSE = 0.7


def gcn_experts(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    root: Tensor,
    node: Tensor,
    expert: Tensor,
    hops: Sequence[MessageHop],
    slots_per_node: int | None = None,
) -> Tensor:
    r"""The outputs of :class:`gmoe.nn.GCNExperts`:

    .. math::
        \mathbf{h}_s = \sum_{e = (j, i)} w_e \, \mathrm{ReLU} \Big(
        \mathbf{W}_o \mathbf{x}_j + \mathbf{b}_o + \sum_t \mathbf{T}_t[o,
        c_t(e)] \Big) + u_i \, \mathrm{ReLU} \left( \mathbf{W}_o \mathbf{x}_i +
        \mathbf{b}_o + \mathbf{r}_o \right)

    A transformed row is computed once for each expert that needs it. On the
    CPU, only one expert's rows are there at a time, and the backward pass
    keeps a bit of each message's channels in place of rows.

    Args:
        x: Node features of shape :math:`(N, D_{in})`.
        weight: Weights of shape :math:`(n, D_{in}, D)`.
        bias: Biases of shape :math:`(n, D)`.
        root: Root terms of shape :math:`(n, D)`.
        node: The node of each slot, int64 of shape :math:`(S)`.
        expert: The expert of each slot, int64 of shape :math:`(S)`,
            non-decreasing.
        hops: The edges that the experts look at, with both weights.
        slots_per_node: The number of slots of every node where it is fixed.

    Returns:
        Outputs of shape :math:`(S, D)`.

    Raises:
        RuntimeError: If a shape, a type or an index is wrong;
            :obj:`ValueError` without the fused op.
    """
    hops = _fold_bias(hops, bias)
    root = root + bias
    floats = [x, weight, root, *(t for hop in hops for t in hop.tables)]
    weights = [w for hop in hops for w in (hop.edge_weight, hop.root_weight)]
    if (
        use_native(*floats, node, cuda=False)
        and x.dtype in (torch.float32, torch.float64)
        and all(t.dtype == x.dtype for t in floats)
        and not torch.is_autocast_enabled(x.device.type)
        and not any_needs_grad(weights)
    ):
        out, _ = torch.ops.gmoe.gcn_experts(
            x.contiguous(),
            weight.contiguous(),
            root,
            node.contiguous(),
            expert.contiguous(),
            *pack_hops(hops, x.dtype),
            num_messages(node, expert, hops, slots_per_node, floats),
        )
        return out
    rows, row_of = _transform(x, weight, node, expert, hops, slots_per_node)
    return routed_message(
        rows,
        node,
        expert,
        hops,
        row_of=row_of,
        interleaved=row_of is None,
        root=root,
        slots_per_node=slots_per_node,
    )


def _fold_bias(
    hops: Sequence[MessageHop], bias: Tensor
) -> Sequence[MessageHop]:
    # A bias of the rows is a term of every edge: part of a table that each
    # expert has for itself, or a table more, of which there are two at most.
    folded = []
    first = 0
    for hop in hops:
        part = bias[first : first + hop.num_experts].unsqueeze(1)
        first += hop.num_experts
        tables, codes = list(hop.tables), list(hop.codes)
        own = [t.size(0) == hop.num_experts for t in tables]
        if any(own) or len(own) == 2:
            at = own.index(True) if any(own) else 0
            tables[at] = tables[at] + part
        else:
            tables.append(part)
            codes.append(torch.zeros_like(hop.source))
        folded.append(hop._replace(tables=tables, codes=codes))
    return folded


def _transform(
    x: Tensor,
    weight: Tensor,
    node: Tensor,
    expert: Tensor,
    hops: Sequence[MessageHop],
    slots_per_node: int | None,
) -> tuple[Tensor, Tensor | None]:
    # The rows W_o x_j: of all pairs, interleaved, or of the needed ones.
    num_nodes, num_experts = x.size(0), weight.size(0)
    if _expected_share(num_nodes, hops, slots_per_node) > _DENSE:
        every = weight.permute(1, 0, 2).flatten(1)
        shape = (num_nodes * num_experts, weight.size(2))
        return (x @ every).view(shape), None
    rows, ptr, row_of = needed_rows(
        node, expert, hops, num_nodes, slots_per_node
    )
    rows = grouped_linear(gather_rows(x, rows), weight, None, ptr)
    return rows, row_of


def _expected_share(
    num_nodes: int, hops: Sequence[MessageHop], slots_per_node: int | None
) -> float:
    # Of the (expert, node) pairs whose row some slot needs, if nodes chose
    # their experts at random: known without looking at the device.
    num_experts = sum(hop.num_experts for hop in hops)
    if slots_per_node is None or num_nodes == 0:
        return 1.0
    free = 1 - slots_per_node / num_experts
    total = sum(
        hop.num_experts * (1 - free ** (1 + hop.source.size(0) / num_nodes))
        for hop in hops
    )
    return total / num_experts


def _fake(
    x: Tensor, weight: Tensor, root: Tensor, node: Tensor, *args: Any
) -> tuple[Tensor, Tensor]:
    size = (args[-1], num_words(weight.size(2)))
    return (
        x.new_empty(node.size(0), weight.size(2)),
        x.new_empty(size, dtype=torch.int32),
    )


def _fake_backward(*args: Any) -> list[Tensor]:
    _, _, x, weight, root, _, _, hops, sizes, _ = args
    names = packed_names(sizes)
    tables = [t for name, t in zip(names, hops) if name == 'tables']
    return [torch.empty_like(t) for t in (x, *tables, root, weight)]


def _setup_context(ctx: Any, inputs: tuple, output: tuple) -> None:
    *tensors, hops, ctx.sizes, _ = inputs
    ctx.mark_non_differentiable(output[1])
    ctx.save_for_backward(output[1], *tensors, *hops)


def _backward(ctx: Any, grad: Tensor, _: Any) -> tuple:
    saved = ctx.saved_tensors
    tensors, hops = saved[:6], list(saved[6:])
    needs_x = ctx.needs_input_grad[0]
    grad_x, *tables, grad_root, grad_weight = (
        torch.ops.gmoe.gcn_experts_backward(
            grad.contiguous(), *tensors, hops, ctx.sizes, needs_x
        )
    )
    return (
        *(grad_x if needs_x else None, grad_weight, grad_root, None, None),
        packed_grads(ctx.sizes, tables=tables),
        *(None, None),
    )


declare_op('gcn_experts', _fake, _backward, _setup_context, keys=('CPU',))
declare_op('gcn_experts_backward', _fake_backward, keys=('CPU',))
