"""Normalisation of routed rows and their weighted sum, in one."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gmoe.ops.autograd import fake_like
from gmoe.ops.backend import declare_op, use_native
from gmoe.ops.check import check_ids, check_rising
from gmoe.ops.combine import combine
from gmoe.ops.expert_norm import normalize_eagerly


def norm_combine(
    h: Tensor,
    weight: Tensor,
    gamma: Tensor,
    beta: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    node: Tensor,
    expert: Tensor,
    num_nodes: int,
    training: bool,
    eps: float,
    order: Tensor | None = None,
    slots_per_node: int | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    r"""Batch normalisation of each expert's rows, and the weighted sum of the
    rows of each node:

    .. math::
        \mathbf{x}^{\prime}_i = \sum_{s : i(s) = i} G_s \left(
        \boldsymbol{\gamma}_o \odot \frac{\mathbf{h}_s -
        \boldsymbol{\mu}_o}{\sqrt{\boldsymbol{\sigma}^2_o + \epsilon}} +
        \boldsymbol{\beta}_o \right), \qquad o = o(s)

    In training, an expert with at least two rows is normalised with their
    mean and variance, else with the running ones.

    Args:
        h: The output of each slot, of shape :math:`(S, D)`.
        weight: The weight of each slot, of shape :math:`(S)`.
        gamma: Scales of shape :math:`(n, D)`.
        beta: Shifts of shape :math:`(n, D)`.
        running_mean: Running means of shape :math:`(n, D)`.
        running_var: Running variances of shape :math:`(n, D)`.
        node: The node of each slot, int64 of shape :math:`(S)`.
        expert: The expert of each slot, int64 of shape :math:`(S)`,
            non-decreasing.
        num_nodes: Number of nodes :math:`N`.
        training: Whether the rows' own statistics are used.
        eps: Added to the variance.
        order: The slot's position in the ordering by node, as
            :func:`combine` takes it.
        slots_per_node: The number of slots of every node where it is fixed.
            The eager version then sums in the order by node.

    Returns:
        Node features of shape :math:`(N, D)`, in the type of :obj:`h`, and
        the means and the biased variances used, of shape :math:`(n, D)`.

    Raises:
        ValueError: If a shape, a node or an expert is wrong; the fused op
            raises :obj:`RuntimeError`.
    """
    accumulate = torch.promote_types(h.dtype, torch.float32)
    statistics = (running_mean, running_var)
    if not use_native(h, gamma, node) or any(
        t.dtype != accumulate for t in statistics
    ):
        check_ids('expert', expert, gamma.size(0))
        check_rising('expert', expert)
        size = expert.new_zeros(gamma.size(0))
        size = size.index_add(0, expert, torch.ones_like(expert))
        h, mean, var = normalize_eagerly(
            *(h, gamma, beta, running_mean, running_var),
            *(expert, size, training, eps),
        )
        out = combine(h, weight, node, order, num_nodes, slots_per_node)
        return out, mean, var
    return torch.ops.gmoe.norm_combine(
        h.contiguous(),
        weight.to(accumulate).contiguous(),
        gamma.to(h.dtype).contiguous(),
        beta.to(h.dtype).contiguous(),
        running_mean.contiguous(),
        running_var.contiguous(),
        node.contiguous(),
        expert.contiguous(),
        num_nodes,
        training,
        eps,
    )


def _fake(
    h: Tensor, weight: Tensor, gamma: Tensor, *args: Any
) -> tuple[Tensor, Tensor, Tensor]:
    _, mean, var, _, _, num_nodes, *_ = args
    out = h.new_empty(num_nodes, h.size(1))
    return out, torch.empty_like(mean), torch.empty_like(var)


def _setup_context(ctx: Any, inputs: tuple, output: tuple) -> None:
    h, weight, gamma, beta, _, _, node, expert, _, training, eps = inputs
    _, mean, var = output
    ctx.mark_non_differentiable(mean, var)
    ctx.constants = (training, eps)
    ctx.save_for_backward(h, weight, gamma, beta, mean, var, node, expert)


def _backward(ctx: Any, grad: Tensor, *_: Any) -> tuple:
    grads = torch.ops.gmoe.norm_combine_backward(
        grad.contiguous(), *ctx.saved_tensors, *ctx.constants
    )
    return (*grads, *[None] * 7)


declare_op('norm_combine', _fake, _backward, _setup_context)
declare_op('norm_combine_backward', fake_like(1, 2, 3, 4))
