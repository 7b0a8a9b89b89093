"""The weighted sum of the experts' networks of two linear maps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from gmoe.ops.backend import declare_op, use_native
from gmoe.ops.check import check_ids, check_ptr, check_shape
from gmoe.ops.combine import combine
from gmoe.ops.group_by_expert import group_by_expert
from gmoe.ops.slots import dense_gates, slot_nodes

#: What may stand between the two maps, in the order of the fused op.
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    'relu': functional.relu,
    'gelu': functional.gelu,
    'tanh': torch.tanh,
    'silu': functional.silu,
}

#: Above this many slots per expert, general matrix products are faster.
MAX_ROWS = 128

# Not in every version of PyTorch.
_grouped_mm: Any = getattr(functional, 'grouped_mm', None)


def routed_mlp(
    x: Tensor,
    weight1: Tensor,
    bias1: Tensor,
    weight2: Tensor,
    bias2: Tensor,
    gate: Tensor,
    expert: Tensor,
    ptr: Tensor,
    activation: str = 'relu',
    slots_per_node: int | None = None,
) -> Tensor:
    r"""Sums the outputs of each node's experts with their weights, where an
    expert is a linear map, an activation and a linear map.

    Each expert computes its own rows: those of a usual batch in the fused op;
    else, where experts are left out, in one grouped matrix product per map.
    Where neither serves the type or the device, and in compiled or exported
    code, all experts compute all rows: the weights of the slots then enter
    before the second map, so that each map is one matrix product for all
    experts, of which the second also sums over them.

    Args:
        x: Rows of shape :math:`(N, D_{in})`.
        weight1: Weights of shape :math:`(n, H, D_{in})`.
        bias1: Biases of shape :math:`(n, H)`.
        weight2: Weights of shape :math:`(n, H, D)`.
        bias2: Biases of shape :math:`(n, D)`.
        gate: The weight of each slot, of shape :math:`(S)`.
        expert: The expert of each slot, int64 of shape :math:`(S)`.
        ptr: The slots of node :math:`i` are ``ptr[i]:ptr[i + 1]``, int64 of
            shape :math:`(N + 1)`.
        activation: A key of :data:`ACTIVATIONS`.
        slots_per_node: The number of slots of every node where it is fixed.

    Returns:
        Rows of shape :math:`(N, D)`.

    Raises:
        ValueError: If the activation is unknown, or, without the fused op, a
            shape, an expert or a pointer is wrong.
        RuntimeError: If the fused op finds one wrong.
    """
    if activation not in ACTIVATIONS:
        raise ValueError(
            f"'activation' must be one of {sorted(ACTIVATIONS)}, got "
            f'{activation!r}'
        )
    inputs = (x, weight1, bias1, weight2, bias2, gate)
    if _is_fused(inputs, expert, ptr):
        out, _ = torch.ops.gmoe.routed_mlp(
            *[t.contiguous() for t in (*inputs, expert, ptr)],
            list(ACTIVATIONS).index(activation),
        )
        return out
    check_shape('ptr', ptr, [x.size(0) + 1])
    check_shape('gate', gate, expert.shape)
    check_ptr('ptr', ptr, expert.size(0))
    check_ids('expert', expert, weight1.size(0))
    version = _grouped if _is_grouped(inputs, expert) else _dense
    return version(
        inputs, expert, ptr, ACTIVATIONS[activation], slots_per_node
    )


def _is_fused(inputs: tuple[Tensor, ...], expert: Tensor, ptr: Tensor) -> bool:
    x, weight1 = inputs[:2]
    # A graph of plain operators fits any number of rows.
    return (
        not torch.compiler.is_compiling()
        and use_native(*inputs, expert, ptr, cuda=False)
        and x.dtype in (torch.float32, torch.float64)
        and all(t.dtype == x.dtype for t in inputs)
        and expert.numel() <= MAX_ROWS * weight1.size(0)
        and not torch.is_autocast_enabled(x.device.type)
    )


def _is_grouped(inputs: tuple[Tensor, ...], expert: Tensor) -> bool:
    # The compiler takes the grouped product for one of bfloat16 only. On a
    # GPU, one product of a few rows with all weights is no slower.
    x, weight1, _, weight2, *_ = inputs
    return (
        _grouped_mm is not None
        and not torch.compiler.is_compiling()
        and x.device.type == 'cpu'
        and all(t.dtype == torch.float32 for t in inputs[:5])
        and not torch.is_autocast_enabled('cpu')
        and expert.numel() < x.size(0) * weight1.size(0)
        # Its rows are to begin at multiples of 16 bytes.
        and all(s % 4 == 0 for s in (*weight1.shape[1:], weight2.size(2)))
    )


def _grouped(
    inputs: tuple[Tensor, ...],
    expert: Tensor,
    ptr: Tensor,
    activation: Callable[[Tensor], Tensor],
    slots_per_node: int | None,
) -> Tensor:
    x, weight1, bias1, weight2, bias2, gate = inputs
    slots = group_by_expert(gate, expert, ptr, weight1.size(0))
    ends = slots.ptr[1:].to(torch.int32)
    h = x.index_select(0, slots.node)
    h = _grouped_mm(h, weight1.transpose(1, 2), offs=ends)
    h = activation(h + bias1.index_select(0, slots.expert))
    h = _grouped_mm(h, weight2, offs=ends)
    h = h + bias2.index_select(0, slots.expert)
    return combine(
        h, slots.weight, slots.node, slots.order, x.size(0), slots_per_node
    )


def _dense(
    inputs: tuple[Tensor, ...],
    expert: Tensor,
    ptr: Tensor,
    activation: Callable[[Tensor], Tensor],
    slots_per_node: int | None,
) -> Tensor:
    x, weight1, bias1, weight2, bias2, gate = inputs
    num_experts, hidden, _ = weight1.shape
    h = functional.linear(x, weight1.flatten(0, 1), bias1.flatten())
    node = slot_nodes(ptr, expert.numel(), slots_per_node)
    gates = dense_gates(gate, expert, node, (x.size(0), num_experts))
    gates = gates.to(h.dtype)
    h = activation(h).view(-1, num_experts, hidden) * gates.unsqueeze(-1)
    return h.flatten(1) @ weight2.flatten(0, 1) + gates @ bias2


def _fake(x: Tensor, weight1: Tensor, *args: Any) -> tuple[Tensor, Tensor]:
    _, weight2, _, gate, *_ = args
    return (
        x.new_empty(x.size(0), weight2.size(2)),
        x.new_empty(gate.size(0), weight1.size(1)),
    )


def _fake_backward(*args: Any) -> tuple[Tensor, ...]:
    _, x, _, weight1, weight2, bias2, gate, *_, needs_x = args
    return (
        x.new_empty(x.size(0) if needs_x else 0, x.size(1)),
        torch.empty_like(weight1),
        x.new_empty(weight1.size(0), weight1.size(1)),
        torch.empty_like(weight2),
        torch.empty_like(bias2),
        torch.empty_like(gate),
    )


def _setup_context(ctx: Any, inputs: tuple, output: tuple) -> None:
    x, weight1, _, weight2, bias2, gate, expert, ptr, ctx.activation = inputs
    _, hidden = output
    ctx.mark_non_differentiable(hidden)
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(
        x, hidden, weight1, weight2, bias2, gate, expert, ptr
    )


def _backward(ctx: Any, grad: Tensor | None, _: Any) -> tuple:
    if grad is None:
        return (None,) * 9
    needs_x = ctx.needs_input_grad[0]
    grad_x, *grads = torch.ops.gmoe.routed_mlp_backward(
        grad.contiguous(), *ctx.saved_tensors, ctx.activation, needs_x
    )
    return grad_x if needs_x else None, *grads, None, None, None


declare_op('routed_mlp', _fake, _backward, _setup_context, keys=('CPU',))
declare_op('routed_mlp_backward', _fake_backward, keys=('CPU',))
