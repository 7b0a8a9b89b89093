"""Message passing for routed (node, expert) slots only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from gmoe.ops.autograd import refuse_double_backward
from gmoe.ops.backend import AVAILABLE, register_fake, use_native
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
        None if row_of is None else row_of.contiguous(),
        None if root is None else root.to(dtype).contiguous(),
        None if self_scale is None else self_scale.to(dtype).contiguous(),
        sum(hop.num_experts for hop in hops),
        interleaved or row_of is not None,
        *hop_arguments(hops, dtype),
        num_messages(node, expert, hops, slots_per_node, floats),
    )
    return out


def hop_arguments(hops: Sequence[MessageHop], dtype: torch.dtype) -> tuple:
    """The hops as an op takes them: lists of numbers and of tensors.

    Args:
        hops: The hops.
        dtype: The type of the tables.
    """
    accumulate = torch.promote_types(dtype, torch.float32)

    def weights(name: str) -> list[Tensor]:
        values = [getattr(hop, name) for hop in hops]
        return [v.to(accumulate).contiguous() for v in values if v is not None]

    return (
        [hop.num_experts for hop in hops],
        [hop.ptr.contiguous() for hop in hops],
        [hop.source.contiguous() for hop in hops],
        [len(hop.tables) for hop in hops],
        [t.to(dtype).contiguous() for hop in hops for t in hop.tables],
        [code.contiguous() for hop in hops for code in hop.codes],
        weights('edge_weight'),
        weights('root_weight'),
    )


def num_messages(
    node: Tensor,
    expert: Tensor,
    hops: Sequence[MessageHop],
    slots_per_node: int | None,
    inputs: Sequence[Tensor],
) -> int:
    """For how many messages bits are kept for the backward pass: at most so
    many as there can be, and 0 if there will be none, or on CUDA, where the
    messages are made again.

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
    """Whether the gradient of one of the tensors will be asked for.

    Args:
        tensors: The tensors; :obj:`None` counts for nothing.
    """
    return torch.is_grad_enabled() and any(
        t is not None and t.requires_grad for t in tensors
    )


def num_words(channels: int) -> int:
    """The number of words that hold a bit for each channel.

    Args:
        channels: The number of channels.
    """
    return max(1, -(-channels // BLOCK))


def _fake(x: Tensor, node: Tensor, *args: Any) -> tuple[Tensor, Tensor]:
    size = (args[-1], num_words(x.size(1)))
    return (
        x.new_empty(node.size(0), x.size(1)),
        x.new_empty(size, dtype=torch.int32),
    )


def _fake_backward(
    grad: Tensor,
    mask: Tensor,
    x: Tensor,
    node: Tensor,
    expert: Tensor,
    row_of: Tensor | None,
    root: Tensor | None,
    self_scale: Tensor | None,
    num_experts: int,
    own_rows: bool,
    hop_experts: Sequence[int],
    ptr: Sequence[Tensor],
    source: Sequence[Tensor],
    num_tables: Sequence[int],
    tables: Sequence[Tensor],
    codes: Sequence[Tensor],
    edge_weight: Sequence[Tensor],
    root_weight: Sequence[Tensor],
    needs_edge_weight: bool,
) -> list[Tensor]:
    parameters = [x, *tables, root, self_scale]
    if needs_edge_weight:
        parameters += edge_weight
    return [torch.empty_like(t) for t in parameters if t is not None]


# Which of the op's inputs are tensors, and which lists of them.
_LISTS = (9, 10, 12, 13, 14, 15)
_TENSORS = (0, 1, 2, 3, 4, 5)


def _setup_context(ctx: Any, inputs: tuple, output: tuple) -> None:
    ctx.mark_non_differentiable(output[1])
    ctx.constants = (inputs[6:9], inputs[11])
    ctx.sizes = [len(inputs[at]) for at in _LISTS]
    lists = [tensor for at in _LISTS for tensor in inputs[at]]
    ctx.save_for_backward(output[1], *(inputs[at] for at in _TENSORS), *lists)


def _backward(ctx: Any, grad: Tensor, _: Any) -> tuple:
    mask, x, node, expert, row_of, root, self_scale, *rest = ctx.saved_tensors
    lists = []
    for size in ctx.sizes:
        lists.append(rest[:size])
        rest = rest[size:]
    ptr, source, tables, codes, edge_weight, root_weight = lists
    (num_experts, own_rows, hop_experts), num_tables = ctx.constants
    needs = ctx.needs_input_grad[14]
    needs_edge_weight = any(needs) if isinstance(needs, list) else bool(needs)
    needs_edge_weight = needs_edge_weight and len(edge_weight) > 0
    grads = list(
        torch.ops.gmoe.routed_message_backward(
            grad.contiguous(),
            mask,
            x,
            node,
            expert,
            row_of,
            root,
            self_scale,
            num_experts,
            own_rows,
            hop_experts,
            ptr,
            source,
            num_tables,
            tables,
            codes,
            edge_weight,
            root_weight,
            needs_edge_weight,
        )
    )

    def take(count: int) -> list[Tensor]:
        taken, grads[:] = grads[:count], grads[count:]
        return taken

    (grad_x,) = take(1)
    grad_tables = take(len(tables))
    grad_root = None if root is None else take(1)[0]
    grad_scale = None if self_scale is None else take(1)[0]

    def nothing(tensors: Sequence[Tensor]) -> list[None]:
        return [None] * len(tensors)

    return (
        grad_x,
        *(None, None, None),
        grad_root,
        grad_scale,
        *(None, None, None),
        nothing(ptr),
        nothing(source),
        None,
        grad_tables,
        nothing(codes),
        take(len(edge_weight)) if needs_edge_weight else nothing(edge_weight),
        nothing(root_weight),
        None,
    )


if AVAILABLE:
    register_fake('routed_message', _fake)
    register_fake('routed_message_backward', _fake_backward)
    torch.library.register_autograd(
        'gmoe::routed_message', _backward, setup_context=_setup_context
    )
    torch.library.register_autograd(
        'gmoe::routed_message_backward',
        refuse_double_backward('routed_message'),
    )
