"""The slots of a routing, grouped by expert."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from gmoe.ops.backend import MAX_CUDA_EXPERTS, declare_op, use_native
from gmoe.ops.check import check_ids, check_ptr, check_shape
from gmoe.ops.grouped_linear import group_of


class GroupedSlots(NamedTuple):
    """Slots ordered by expert, those of an expert by node.

    Attributes:
        weight: The weight of each slot, of shape :math:`(S)`.
        ptr: The slots of expert :math:`o` are ``ptr[o]:ptr[o + 1]``, of
            shape :math:`(n + 1)`.
        node: The node of each slot, of shape :math:`(S)`.
        expert: The expert of each slot, of shape :math:`(S)`.
        order: The position of each slot in the order by node, of shape
            :math:`(S)`.
        position: The inverse of :obj:`order`: where the slots ordered by
            node are, of shape :math:`(S)`.
    """

    weight: Tensor
    ptr: Tensor
    node: Tensor
    expert: Tensor
    order: Tensor
    position: Tensor


def group_by_expert(
    weight: Tensor, expert: Tensor, ptr: Tensor, num_experts: int
) -> GroupedSlots:
    """Groups slots that are ordered by node. The order is stable.

    Args:
        weight: The weight of each slot, of shape :math:`(S)`, differentiable.
        expert: The expert of each slot, int64 of shape :math:`(S)`.
        ptr: The slots of node :math:`i` are ``ptr[i]:ptr[i + 1]``, int64 of
            shape :math:`(N + 1)`.
        num_experts: Number of experts :math:`n`.

    Returns:
        The grouped slots, indices in the type of :obj:`expert`.

    Raises:
        ValueError: If a shape, an expert or a pointer is wrong; the fused op
            raises :obj:`RuntimeError`. On CUDA the host does not wait for
            the slots: experts are checked on the device, pointers are not.
    """
    on_cuda = num_experts <= MAX_CUDA_EXPERTS
    if use_native(weight, expert, ptr, cuda=on_cuda):
        return GroupedSlots(
            *torch.ops.gmoe.group_by_expert(
                weight.contiguous(),
                expert.contiguous(),
                ptr.contiguous(),
                num_experts,
            )
        )
    return _eager(weight, expert, ptr, num_experts)


def inverse_permutation(order: Tensor) -> Tensor:
    """The inverse of a permutation, int64 of shape :math:`(S)`."""
    position = torch.empty_like(order)
    position[order] = torch.arange(
        order.numel(), dtype=order.dtype, device=order.device
    )
    return position


def _eager(
    weight: Tensor, expert: Tensor, ptr: Tensor, num_experts: int
) -> GroupedSlots:
    check_shape('expert', expert, [None])
    check_shape('weight', weight, expert.shape)
    check_ptr('ptr', ptr, expert.size(0))
    check_ids('expert', expert, num_experts)
    order = torch.argsort(expert, stable=True)
    count = expert.new_zeros(num_experts + 1)
    count.index_add_(0, expert + 1, torch.ones_like(expert))
    node = group_of(ptr, expert.numel())
    return GroupedSlots(
        weight=weight[order],
        ptr=count.cumsum(0).to(expert.dtype),
        node=node[order],
        expert=expert[order],
        order=order.to(expert.dtype),
        position=inverse_permutation(order).to(expert.dtype),
    )


def _fake(
    weight: Tensor, expert: Tensor, ptr: Tensor, num_experts: int
) -> tuple[Tensor, ...]:
    slots = [expert.new_empty(expert.shape) for _ in range(4)]
    return (
        weight.new_empty(weight.shape),
        expert.new_empty(num_experts + 1),
        *slots,
    )


def _setup_context(ctx: Any, inputs: tuple, output: tuple) -> None:
    ctx.save_for_backward(output[-1])


def _backward(ctx: Any, grad_weight: Tensor, *unused: Any) -> tuple:
    (position,) = ctx.saved_tensors
    return grad_weight.index_select(0, position), None, None, None


declare_op('group_by_expert', _fake, _backward, _setup_context)
