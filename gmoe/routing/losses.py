"""Losses that keep the experts in balance. All are scalars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from gmoe.common.distributed import is_distributed
from gmoe.routing.routing import Routing


def squared_coefficient_of_variation(x: Tensor) -> Tensor:
    r"""The unbiased variance over the squared mean, :math:`\mathrm{CV}^2 =
    \mathrm{Var}(x) / (\bar{x}^2 + 10^{-10})`; zero for one value.

    Args:
        x: Values of shape :math:`(*, n)`.

    Returns:
        One value per row, of shape :math:`(*)`.
    """
    if x.size(-1) <= 1:
        return x.sum(dim=-1) * 0  # A zero that stays in the autograd graph.
    variance, mean = torch.var_mean(x, dim=-1, correction=1)
    return variance / (mean.square() + 1e-10)


def importance_loss(routing: Routing, sync_dist: bool = False) -> Tensor:
    r"""The importance loss :math:`\mathrm{CV}(\sum_i \mathbf{G}_i)^2`
    (`Shazeer et al. 2017 <https://arxiv.org/abs/1701.06538>`_, eq. 6-7;
    `GMoE <https://arxiv.org/abs/2304.02806>`_, eq. 5).

    Args:
        routing: The routing of one layer.
        sync_dist: Whether to sum the importance over all processes of a
            distributed run, so that the loss is that of the joint batch.
    """
    total = _sum_over_processes(routing.importance, sync_dist)
    return squared_coefficient_of_variation(total)


def load_loss(routing: Routing, sync_dist: bool = False) -> Tensor:
    r"""The load loss :math:`\mathrm{CV}(\sum_i \mathbf{P}_i)^2` with the
    probability :math:`P_{io}` that expert :math:`o` stays selected when its
    noise is drawn anew (`Shazeer et al. 2017
    <https://arxiv.org/abs/1701.06538>`_, eq. 8-11; `GMoE
    <https://arxiv.org/abs/2304.02806>`_, eq. 6-8).

    Where no noise was drawn (in evaluation, or by a router without noise),
    the load is the plain count of nodes, and the loss has no gradient.

    Args:
        routing: The routing of one layer.
        sync_dist: Whether to sum the load over all processes of a
            distributed run, so that the loss is that of the joint batch.
    """
    total = _sum_over_processes(routing.load, sync_dist)
    return squared_coefficient_of_variation(total)


def balance_loss(
    routings: Routing | Sequence[Routing],
    importance_weight: float = 1.0,
    load_weight: float = 1.0,
    sync_dist: bool = False,
) -> Tensor:
    """The weighted sum of the importance and the load loss, averaged over
    layers: what is added to a task's loss, times a factor lambda, in `GMoE
    <https://arxiv.org/abs/2304.02806>`_.

    Args:
        routings: The routing of one layer, or of each layer.
        importance_weight: Factor of the importance loss.
        load_weight: Factor of the load loss.
        sync_dist: Whether to sum importance and load over all processes of a
            distributed run.

    Raises:
        ValueError: If no routing is given.
    """
    if isinstance(routings, Routing):
        routings = [routings]
    if len(routings) == 0:
        raise ValueError(
            "'routings' must hold at least one Routing, got none: is there "
            'a mixture-of-experts layer in the model?'
        )
    # Importance and load side by side: half as many small operations.
    totals = [
        _sum_over_processes(
            torch.stack([routing.importance, routing.load]), sync_dist
        )
        for routing in routings
    ]
    terms = [squared_coefficient_of_variation(total) for total in totals]
    mean = torch.stack(terms).mean(dim=0)
    return mean @ mean.new_tensor([importance_weight, load_weight])


def switch_loss(routing: Routing) -> Tensor:
    r"""The balance loss of the `Switch Transformer
    <https://arxiv.org/abs/2101.03961>`_ (eq. 4-6): :math:`n \sum_o f_o P_o`,
    with the fraction :math:`f_o` of assignments that go to expert :math:`o`
    and its mean probability :math:`P_o` over all nodes (softmax over all
    experts). It is 1 for a uniform routing, and 0 for an empty graph.

    Args:
        routing: The routing of one layer.

    Raises:
        ValueError: If the routing carries no scores.
    """
    logits = _logits(routing)
    probability = torch.softmax(logits, dim=-1).sum(dim=0)
    probability = probability / max(routing.num_nodes, 1)
    fraction = routing.counts.to(logits.dtype) / max(routing.num_slots, 1)
    return routing.num_experts * (fraction * probability).sum()


def router_z_loss(routing: Routing) -> Tensor:
    r"""The router z-loss of `ST-MoE <https://arxiv.org/abs/2202.08906>`_
    (eq. 5), :math:`\frac{1}{N} \sum_i (\log \sum_o e^{Q_{io}})^2`, which keeps
    the scores small; 0 for an empty graph.

    Args:
        routing: The routing of one layer.

    Raises:
        ValueError: If the routing carries no scores.
    """
    logits = _logits(routing)
    total = torch.logsumexp(logits, dim=-1).square().sum()
    return total / max(routing.num_nodes, 1)


def entropy_loss(routing: Routing) -> Tensor:
    r"""The mean entropy of the nodes' probabilities, :math:`-\frac{1}{N}
    \sum_i \sum_o P_{io} \log P_{io}` (softmax over all experts): the dynamic
    loss of `"Harder Tasks Need More Experts"
    <https://arxiv.org/abs/2403.07652>`_, which lets
    :class:`~gmoe.routing.TopP` choose few experts; 0 for an empty graph.

    Args:
        routing: The routing of one layer.

    Raises:
        ValueError: If the routing carries no scores.
    """
    log_probability = torch.log_softmax(_logits(routing), dim=-1)
    total = (log_probability.exp() * log_probability).sum()
    return -total / max(routing.num_nodes, 1)


def _sum_over_processes(value: Tensor, sync_dist: bool) -> Tensor:
    if sync_dist and is_distributed():
        return _AllReduce.apply(value)
    return value


class _AllReduce(torch.autograd.Function):
    # A sum over processes, and so is its gradient, since every process has a
    # loss of its own that depends on every process's value.

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        value = value.clone()
        dist.all_reduce(value)
        return value

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        grad = grad.clone()
        dist.all_reduce(grad)
        return grad


def _logits(routing: Routing) -> Tensor:
    if routing.logits is None:
        raise ValueError(
            "'routing' must carry the router's scores ('logits'), got none: "
            'a uniform routing has no scores'
        )
    return routing.logits
