"""Batch normalisation of routed rows."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gmoe.ops.autograd import fake_like
from gmoe.ops.backend import declare_op, use_native
from gmoe.ops.check import check_ptr, check_shape
from gmoe.ops.gather_rows import gather_rows
from gmoe.ops.grouped_linear import group_of


def expert_norm(
    h: Tensor,
    gamma: Tensor,
    beta: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    ptr: Tensor,
    training: bool,
    eps: float,
    relu: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    r"""Normalises each expert's rows:

    .. math::
        \mathbf{y}_s = \boldsymbol{\gamma}_o \odot \frac{\mathbf{h}_s -
        \boldsymbol{\mu}_o}{\sqrt{\boldsymbol{\sigma}^2_o + \epsilon}} +
        \boldsymbol{\beta}_o, \qquad o = o(s)

    In training, an expert with at least two rows is normalised with their
    mean and variance, else with the running ones.

    Args:
        h: Rows of shape :math:`(S, D)`, ordered by expert.
        gamma: Scales of shape :math:`(n, D)`.
        beta: Shifts of shape :math:`(n, D)`.
        running_mean: Running means of shape :math:`(n, D)`.
        running_var: Running variances of shape :math:`(n, D)`.
        ptr: Expert pointer, int64 of shape :math:`(n + 1)`, with
            ``ptr[-1] == S``.
        training: Whether the rows' own statistics are used.
        eps: Added to the variance.
        relu: Whether :math:`\mathrm{ReLU}(\mathbf{y})` is returned.

    Returns:
        Rows of shape :math:`(S, D)`, in the type of :obj:`h`, and the means
        and the biased variances used, of shape :math:`(n, D)`.

    Raises:
        ValueError: If a shape or the pointer is wrong; the fused op raises
            :obj:`RuntimeError`.
    """
    accumulate = torch.promote_types(h.dtype, torch.float32)
    statistics = (running_mean, running_var)
    if not use_native(h, gamma, beta, *statistics, ptr) or any(
        t.dtype != accumulate for t in statistics
    ):
        check_shape('ptr', ptr, [gamma.size(0) + 1])
        check_ptr('ptr', ptr, h.size(0))
        expert = group_of(ptr, h.size(0))
        y, mean, var = normalize_eagerly(
            *(h, gamma, beta, running_mean, running_var),
            *(expert, ptr.diff(), training, eps),
        )
        return y.relu() if relu else y, mean, var
    return torch.ops.gmoe.expert_norm(
        h.contiguous(),
        gamma.to(h.dtype).contiguous(),
        beta.to(h.dtype).contiguous(),
        running_mean.contiguous(),
        running_var.contiguous(),
        ptr.contiguous(),
        training,
        eps,
        relu,
    )


def normalize_eagerly(
    h: Tensor,
    gamma: Tensor,
    beta: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    expert: Tensor,
    size: Tensor,
    training: bool,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Computes :func:`expert_norm` without the ReLU by PyTorch's operators.
    It takes the expert of each row, and the number of rows of each expert, in
    place of the pointer.
    """
    check_shape('h', h, [None, None])
    check_shape('gamma', gamma, [None, h.size(1)])
    check_shape('beta', beta, gamma.shape)
    check_shape('running_mean', running_mean, gamma.shape)
    check_shape('running_var', running_var, gamma.shape)
    x = h.to(torch.promote_types(h.dtype, running_mean.dtype))
    # Copies: backward needs them as they are now.
    mean, var = running_mean.clone(), running_var.clone()
    if training:
        size = size.unsqueeze(-1)
        own = size > 1
        size = size.clamp(min=1)
        own_mean = _sum_groups(x, expert, size.size(0)) / size
        centred = x - gather_rows(own_mean, expert)
        own_var = _sum_groups(centred.square(), expert, size.size(0)) / size
        mean = torch.where(own, own_mean, mean)
        var = torch.where(own, own_var, var)
    scale = gamma * (var + eps).rsqrt()
    y = (x - gather_rows(mean, expert)) * gather_rows(scale, expert)
    y = y + gather_rows(beta.to(y.dtype), expert)
    return y.to(h.dtype), mean.detach(), var.detach()


def _sum_groups(x: Tensor, group: Tensor, num_groups: int) -> Tensor:
    return x.new_zeros(num_groups, x.size(1)).index_add(0, group, x)


def _setup_context(ctx: Any, inputs: tuple, output: tuple) -> None:
    h, gamma, beta, _, _, ptr, *constants = inputs
    _, mean, var = output
    ctx.mark_non_differentiable(mean, var)
    ctx.constants = constants
    ctx.save_for_backward(h, gamma, beta, mean, var, ptr)


def _backward(ctx: Any, grad: Tensor, *_: Any) -> tuple:
    grads = torch.ops.gmoe.expert_norm_backward(
        grad.contiguous(), *ctx.saved_tensors, *ctx.constants
    )
    return (*grads, *[None] * 6)


declare_op('expert_norm', fake_like(0, 3, 4), _backward, _setup_context)
declare_op('expert_norm_backward', fake_like(1, 2, 3))
