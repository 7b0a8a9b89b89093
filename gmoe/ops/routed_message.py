"""Message passing for routed (node, expert) slots only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from gmoe.ops.backend import declare_op, use_native
from gmoe.ops.hops import pack_hops, packed_grads, packed_names
from gmoe.ops.message import MessageHop, eager_message

#: Channels per word of the bits that the forward pass keeps.
BLOCK = 32


def routed_message(
    x: Tensor,
    node: Tensor,
    expert: Tensor,
    hops: Sequence[MessageHop],
    row_of: Tensor | None = None,
    interleaved: bool = False,
    root: Tensor | None = None,
    self_scale: Tensor | None = None,
    slots_per_node: int | None = None,
) -> Tensor:
    r"""Sums the messages of each slot :math:`s`, which is node :math:`i` seen
    by expert :math:`o`:

    .. math::
        \mathbf{h}_s = \sum_{e = (j, i)} w_e \, \mathrm{ReLU} \Big(
        \mathbf{x}_{r(o, j)} + \sum_t \mathbf{T}_t[o, c_t(e)] \Big) +
        u_i \, \mathrm{ReLU} \left( \mathbf{x}_{r(o, i)} + \mathbf{r}_o
        \right) + a_o \mathbf{x}_i

    Only the edges of routed nodes are visited. The second derivative exists
    in the eager version only (:func:`gmoe.ops.eager_ops`).

    Args:
        x: Rows of shape :math:`(R, D)`.
        node: The node of each slot, int64 of shape :math:`(S)`.
        expert: The expert of each slot, int64 of shape :math:`(S)`,
            non-decreasing.
        hops: The edges that the experts look at, with the tables
            :math:`\mathbf{T}` and the weights :math:`w` and :math:`u`. All
            hops have weights, or none has.
        row_of: The row of :obj:`x` for each (expert, node) pair, int64 of
            shape :math:`(n, N)`.
        interleaved: Whether :obj:`x` has a row :math:`j n + o` for each pair.
            Otherwise, and without :obj:`row_of`, the experts share
            :math:`\mathbf{x}_j`.
        root: The root terms :math:`\mathbf{r}`, of shape :math:`(n, D)`.
        self_scale: The scales :math:`a`, of shape :math:`(n)`, where the
            experts share the rows.
        slots_per_node: The number of slots of every node where it is fixed.

    Returns:
        Messages of shape :math:`(S, D)`.

    Raises:
        RuntimeError: If a shape, a type or an index is wrong;
            :obj:`ValueError` without the fused op.
    """
    tables = [table for hop in hops for table in hop.tables]
    floats = [t for t in (x, *tables, root, self_scale) if t is not None]
    # The fused op has no gradient of the roots' weights.
    if not use_native(*floats, node) or any_needs_grad(
        hop.root_weight for hop in hops
    ):
        return eager_message(
            x, node, expert, hops, row_of, interleaved, root, self_scale
        )
    dtype = floats[0].dtype
    for tensor in floats:
        dtype = torch.promote_types(dtype, tensor.dtype)
    out, _ = torch.ops.gmoe.routed_message(
        x.to(dtype).contiguous(),
        node.contiguous(),
        expert.contiguous(),
        *pack_hops(hops, dtype),
        None if row_of is None else row_of.contiguous(),
        None if root is None else root.to(dtype).contiguous(),
        None if self_scale is None else self_scale.to(dtype).contiguous(),
        interleaved or row_of is not None,
        num_messages(node, expert, hops, slots_per_node, floats),
    )
    return out


def num_messages(
    node: Tensor,
    expert: Tensor,
    hops: Sequence[MessageHop],
    slots_per_node: int | None,
    inputs: Sequence[Tensor],
) -> int:
    """The number of messages for which there is room for bits that the
    backward pass reads. It is the largest number there can be; 0 if there will
    be no backward pass, or on CUDA, where the messages are made again.

    Args:
        node: The node of each slot.
        expert: The expert of each slot.
        hops: The hops.
        slots_per_node: The number of slots of every node where it is fixed.
        inputs: What may need a gradient.
    """
    if node.device.type != 'cpu':
        return 0
    if not any_needs_grad((*inputs, *(hop.edge_weight for hop in hops))):
        return 0
    roots = node.size(0) if hops[0].root_weight is not None else 0
    limit = slots_per_node or sum(hop.num_experts for hop in hops)
    return roots + sum(
        min(limit, hop.num_experts) * hop.source.size(0) for hop in hops
    )


def any_needs_grad(tensors: Iterable[Tensor | None]) -> bool:
    """Whether the gradient of one of the tensors will be asked for."""
    return torch.is_grad_enabled() and any(
        t is not None and t.requires_grad for t in tensors
    )


def num_words(channels: int) -> int:
    """The number of words that hold a bit for each channel."""
    return max(1, -(-channels // BLOCK))


def _fake(x: Tensor, node: Tensor, *args: Any) -> tuple[Tensor, Tensor]:
    size = (args[-1], num_words(x.size(1)))
    return (
        x.new_empty(node.size(0), x.size(1)),
        x.new_empty(size, dtype=torch.int32),
    )


def _fake_backward(*args: Any) -> list[Tensor]:
    x, _, _, hops, sizes, _, root, self_scale, _, needs_edge_weight = args[2:]
    packed = list(zip(packed_names(sizes), hops))
    parameters = [x, *(t for name, t in packed if name == 'tables')]
    parameters += [t for t in (root, self_scale) if t is not None]
    if needs_edge_weight:
        parameters += [t for name, t in packed if name == 'edge_weight']
    return [torch.empty_like(t) for t in parameters]


def _setup_context(ctx: Any, inputs: tuple, output: tuple) -> None:
    *tensors, hops, ctx.sizes, row_of, root, scale, ctx.own_rows, _ = inputs
    ctx.mark_non_differentiable(output[1])
    ctx.save_for_backward(output[1], *tensors, row_of, root, scale, *hops)


def _backward(ctx: Any, grad: Tensor, _: Any) -> tuple:
    saved = ctx.saved_tensors
    tensors, optional, hops = saved[:4], saved[4:7], list(saved[7:])
    _, root, scale = optional
    names = packed_names(ctx.sizes)
    needs_edge_weight = any(
        need and name == 'edge_weight'
        for name, need in zip(names, ctx.needs_input_grad[3])
    )
    grad_x, *grads = torch.ops.gmoe.routed_message_backward(
        *(grad.contiguous(), *tensors, hops, ctx.sizes),
        *(*optional, ctx.own_rows, needs_edge_weight),
    )
    tables = [grads.pop(0) for name in names if name == 'tables']
    grad_root = None if root is None else grads.pop(0)
    grad_scale = None if scale is None else grads.pop(0)
    of_hops = {'tables': tables}
    if needs_edge_weight:
        of_hops['edge_weight'] = grads
    return (
        *(grad_x, None, None),
        packed_grads(ctx.sizes, **of_hops),
        *(None, None),
        *(grad_root, grad_scale),
        *(None, None),
    )


declare_op('routed_message', _fake, _backward, _setup_context)
declare_op('routed_message_backward', _fake_backward)
