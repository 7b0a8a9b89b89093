"""Slots ordered by node: which node each is of, and all as one matrix."""

from __future__ import annotations

import torch
from torch import Tensor

from gmoe.ops.grouped_linear import group_of


def slot_nodes(
    ptr: Tensor, num_slots: int, slots_per_node: int | None = None
) -> Tensor:
    r"""The node of each slot, int64 of shape :math:`(S)`.

    Args:
        ptr: The slots of node :math:`i` are ``ptr[i]:ptr[i + 1]``, int64 of
            shape :math:`(N + 1)`.
        num_slots: Number of slots :math:`S`.
        slots_per_node: The number of slots of every node where it is fixed.
    """
    if slots_per_node is None:
        return group_of(ptr, num_slots)
    node = torch.arange(ptr.numel() - 1, device=ptr.device)
    return node.unsqueeze(-1).expand(-1, slots_per_node).flatten()


def dense_gates(
    weight: Tensor, expert: Tensor, node: Tensor, shape: tuple[int, int]
) -> Tensor:
    r"""The weights as a matrix of shape :math:`(N, n)`, zero where there is
    no slot, and a sum where there are several.

    Args:
        weight: The weight of each slot, of shape :math:`(S)`.
        expert: The expert of each slot, int64 of shape :math:`(S)`.
        node: The node of each slot, int64 of shape :math:`(S)`.
        shape: Number of nodes :math:`N` and of experts :math:`n`.
    """
    gates = weight.new_zeros(shape[0] * shape[1])
    return gates.index_add(0, node * shape[1] + expert, weight).view(shape)
