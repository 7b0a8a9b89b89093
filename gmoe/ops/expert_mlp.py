"""The experts' networks of two linear maps."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gmoe.ops.backend import declare_op, use_native
from gmoe.ops.expert_norm import expert_norm
from gmoe.ops.grouped_linear import grouped_linear

#: From this size in bytes on, the outcome of the first map is not kept: to get
#: and fill such an amount of fresh memory takes as long as the product.
MAX_HIDDEN = 32 << 20


def expert_mlp(
    x: Tensor,
    weight1: Tensor,
    bias1: Tensor,
    gamma: Tensor,
    beta: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    weight2: Tensor,
    bias2: Tensor,
    ptr: Tensor,
    training: bool,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    r"""Linear map, batch normalisation, ReLU and linear map, each expert with
    parameters and batch statistics of its own. The backward pass of the
    fused op keeps the outcome of the first map only, or makes it again where
    it is large. The op is for the CPU; elsewhere, and for types that it does
    not take, the three steps are an op each.

    Args:
        x: Rows of shape :math:`(S, D_{in})`, ordered by expert.
        weight1: Weights of shape :math:`(n, D_{in}, H)`.
        bias1: Biases of shape :math:`(n, H)`.
        gamma: Scales of shape :math:`(n, H)`.
        beta: Shifts of shape :math:`(n, H)`.
        running_mean: Running means of shape :math:`(n, H)`.
        running_var: Running variances of shape :math:`(n, H)`.
        weight2: Weights of shape :math:`(n, H, D)`.
        bias2: Biases of shape :math:`(n, D)`.
        ptr: Expert pointer, int64 of shape :math:`(n + 1)`.
        training: Whether the rows' own statistics are used, where there are
            at least two rows.
        eps: Added to the variance.

    Returns:
        Rows of shape :math:`(S, D)`, and the means and the biased variances
        used, of shape :math:`(n, H)`.

    Raises:
        RuntimeError: If a shape or the pointer is wrong; :obj:`ValueError`
            without the fused op.
    """
    parameters = (weight1, bias1, gamma, beta, weight2, bias2)
    if (
        not use_native(x, *parameters, cuda=False)
        or x.dtype not in (torch.float32, torch.float64)
        or any(t.dtype != x.dtype for t in (*parameters, running_mean))
        or torch.is_autocast_enabled(x.device.type)
    ):
        h = grouped_linear(x, weight1, bias1, ptr)
        h, mean, var = expert_norm(
            h,
            gamma,
            beta,
            running_mean,
            running_var,
            ptr,
            training,
            eps,
            relu=True,
        )
        return grouped_linear(h, weight2, bias2, ptr), mean, var
    save = torch.is_grad_enabled() and any(
        t.requires_grad for t in (x, *parameters)
    )
    if save:
        hidden = x.size(0) * weight1.size(2) * x.element_size()
        save = hidden <= MAX_HIDDEN
    statistics = (running_mean, running_var)
    tensors = (*parameters[:4], *statistics, *parameters[4:], ptr)
    out, _, mean, var = torch.ops.gmoe.expert_mlp(
        *[t.contiguous() for t in (x, *tensors)], training, eps, save
    )
    return out, mean, var


def _fake(x: Tensor, weight1: Tensor, *args: Any) -> tuple[Tensor, ...]:
    _, _, _, mean, var, weight2, *_, save = args
    return (
        x.new_empty(x.size(0), weight2.size(2)),
        x.new_empty(x.size(0) if save else 0, weight1.size(2)),
        torch.empty_like(mean),
        torch.empty_like(var),
    )


def _fake_backward(*args: Any) -> tuple[Tensor, ...]:
    _, x, _, _, _, weight1, _, gamma, beta, weight2, *_ = args
    bias2 = weight2.new_empty(weight2.size(0), weight2.size(2))
    like = (x, weight1, gamma, gamma, beta, weight2, bias2)
    return tuple(torch.empty_like(t) for t in like)


def _setup_context(ctx: Any, inputs: tuple, output: tuple) -> None:
    x, weight1, bias1, gamma, beta, _, _, weight2, _, ptr = inputs[:10]
    _, hidden, mean, var = output
    ctx.mark_non_differentiable(hidden, mean, var)
    ctx.constants = inputs[10:12]
    ctx.save_for_backward(
        x, hidden, mean, var, weight1, bias1, gamma, beta, weight2, ptr
    )


def _backward(ctx: Any, grad: Tensor, *_: Any) -> tuple:
    grads = torch.ops.gmoe.expert_mlp_backward(
        grad.contiguous(), *ctx.saved_tensors, *ctx.constants
    )
    grad_x, weight1, bias1, gamma, beta, weight2, bias2 = grads
    return (
        *(grad_x, weight1, bias1, gamma, beta, None, None, weight2, bias2),
        *[None] * 4,
    )


declare_op('expert_mlp', _fake, _backward, _setup_context, keys=('CPU',))
declare_op('expert_mlp_backward', _fake_backward, keys=('CPU',))
