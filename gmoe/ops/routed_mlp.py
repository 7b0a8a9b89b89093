"""The weighted sum of the experts' two-layer networks, in one."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gmoe.ops.autograd import refuse_double_backward
from gmoe.ops.backend import AVAILABLE, register_fake, use_native

#: What may stand between the two maps, in the order of the fused op.
ACTIVATIONS = ('relu', 'gelu', 'tanh', 'silu')

#: Above this many slots per expert, general matrix products are faster.
MAX_ROWS = 128


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
) -> Tensor | None:
    r"""Sums the outputs of each node's experts with their weights, where an
    expert is a linear map, an activation and a linear map.

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
        activation: One of :data:`ACTIVATIONS`.

    Returns:
        Rows of shape :math:`(N, D)`; :obj:`None` where the fused op does not
        serve: it is for few rows per expert.

    Raises:
        RuntimeError: If an expert or a pointer is out of range.
    """
    inputs = (x, weight1, bias1, weight2, bias2, gate)
    if (
        not use_native(*inputs, expert, ptr, cuda=False)
        or activation not in ACTIVATIONS
        or x.dtype not in (torch.float32, torch.float64)
        or any(t.dtype != x.dtype for t in inputs)
        or expert.numel() > MAX_ROWS * weight1.size(0)
        or torch.is_autocast_enabled(x.device.type)
    ):
        return None
    out, _ = torch.ops.gmoe.routed_mlp(
        *[t.contiguous() for t in (*inputs, expert, ptr)],
        ACTIVATIONS.index(activation),
    )
    return out


def _fake(
    x: Tensor,
    weight1: Tensor,
    bias1: Tensor,
    weight2: Tensor,
    bias2: Tensor,
    gate: Tensor,
    *args: Any,
) -> tuple[Tensor, Tensor]:
    return (
        x.new_empty(x.size(0), weight2.size(2)),
        x.new_empty(gate.size(0), weight1.size(1)),
    )


def _fake_backward(
    grad: Tensor,
    x: Tensor,
    hidden: Tensor,
    weight1: Tensor,
    weight2: Tensor,
    bias2: Tensor,
    gate: Tensor,
    expert: Tensor,
    ptr: Tensor,
    activation: int,
    needs_x: bool,
) -> tuple[Tensor, ...]:
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


if AVAILABLE:
    register_fake('routed_mlp', _fake)
    register_fake('routed_mlp_backward', _fake_backward)
    torch.library.register_autograd(
        'gmoe::routed_mlp', _backward, setup_context=_setup_context
    )
    torch.library.register_autograd(
        'gmoe::routed_mlp_backward', refuse_double_backward('routed_mlp')
    )
