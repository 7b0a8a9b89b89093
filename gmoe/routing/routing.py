"""The result of a router: which experts handle which node."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from gmoe import ops
from gmoe.ops.slots import dense_gates, slot_nodes


class cached_property(functools.cached_property):
    # Without the lock of Python 3.11 and older, which torch.compile refuses.
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        value = self.func(instance)
        # Compiled code asks once, and that of PyTorch 2.10 cannot write there.
        if not torch.compiler.is_compiling():
            instance.__dict__[self.attrname] = value
        return value


@dataclass(frozen=True, eq=False)
class ExpertSlots:
    r"""The slots of a :class:`Routing`, grouped by expert.

    A slot is one (node, expert) assignment. The slots of expert :math:`o` are
    ``ptr[o]:ptr[o + 1]``, ordered by node.

    Args:
        ptr: Expert pointer, int64 of shape :math:`(n + 1)`.
        node: The node of each slot, int64 of shape :math:`(S)`.
        expert: The expert of each slot, int64 of shape :math:`(S)`,
            non-decreasing.
        weight: The weight of each slot, shape :math:`(S)`.
        order: The slot's position in the grouping by node, int64 of shape
            :math:`(S)`: ``routing.weight[order]`` is :obj:`weight`.
        slots_per_node: The number of slots of every node where it is fixed.
    """

    ptr: Tensor
    node: Tensor
    expert: Tensor
    weight: Tensor
    order: Tensor
    slots_per_node: int | None = None

    def combine(self, h: Tensor, num_nodes: int) -> Tensor:
        """The weighted sum of each node's rows, of shape :math:`(N, D)`.

        Args:
            h: The row of each slot, of shape :math:`(S, D)`.
            num_nodes: Number of nodes :math:`N`.
        """
        return ops.combine(
            h,
            self.weight,
            self.node,
            self.order,
            num_nodes,
            self.slots_per_node,
        )


@dataclass(frozen=True, eq=False)
class Routing:
    r"""Assignments of nodes to experts, with what the balance losses need.

    The slots of node :math:`i` are ``ptr[i]:ptr[i + 1]``. A router that
    selects a fixed :math:`k` gives every node :math:`k` slots; sparsemax and
    entmax give each node its own number.

    Args:
        ptr: Slot pointer, int64 of shape :math:`(N + 1)`.
        expert: The expert of each slot, int64 of shape :math:`(S)`.
        weight: The weight of each slot, shape :math:`(S)`.
        num_experts: The number of experts :math:`n`.
        slots_per_node: The number of slots of every node where it is fixed,
            else :obj:`None`.
        logits: The scores that the selection was made from, noise included,
            shape :math:`(N, n)`.
        load_probabilities: The probability that expert :math:`o` stays
            selected for node :math:`i` when its noise is drawn anew, shape
            :math:`(N, n)`; :obj:`None` where no noise was drawn.
    """

    ptr: Tensor
    expert: Tensor
    weight: Tensor
    num_experts: int
    slots_per_node: int | None = None
    logits: Tensor | None = None
    load_probabilities: Tensor | None = None

    @classmethod
    def dense(
        cls,
        gates: Tensor,
        logits: Tensor | None = None,
        load_probabilities: Tensor | None = None,
    ) -> Routing:
        """Every expert at every node.

        Args:
            gates: The weights of shape :math:`(N, n)`.
            logits: The scores, as :class:`Routing` holds them.
            load_probabilities: The probabilities of selection, likewise.
        """
        num_nodes, n = gates.shape
        device = gates.device
        return cls(
            torch.arange(0, num_nodes * n + 1, n, device=device),
            torch.arange(n, device=device).repeat(num_nodes),
            gates.reshape(-1),
            num_experts=n,
            slots_per_node=n,
            logits=logits,
            load_probabilities=load_probabilities,
        )

    @property
    def num_nodes(self) -> int:
        """The number of nodes :math:`N`."""
        return self.ptr.numel() - 1

    @property
    def num_slots(self) -> int:
        """The number of (node, expert) assignments :math:`S`."""
        return self.expert.numel()

    @cached_property
    def node(self) -> Tensor:
        """The node of each slot, int64 of shape :math:`(S)`."""
        return slot_nodes(self.ptr, self.num_slots, self.slots_per_node)

    @cached_property
    def counts(self) -> Tensor:
        """The number of nodes of each expert, int64 of shape :math:`(n)`."""
        count = self.expert.new_zeros(self.num_experts)
        return count.index_add_(0, self.expert, torch.ones_like(self.expert))

    @cached_property
    def by_expert(self) -> ExpertSlots:
        """The same slots, grouped by expert."""
        weight, ptr, node, expert, order, _ = ops.group_by_expert(
            self.weight, self.expert, self.ptr, self.num_experts
        )
        fixed = self.slots_per_node
        return ExpertSlots(ptr, node, expert, weight, order, fixed)

    @cached_property
    def gates(self) -> Tensor:
        """The weights as a matrix of shape :math:`(N, n)`, else zero."""
        shape = (self.num_nodes, self.num_experts)
        return dense_gates(self.weight, self.expert, self.node, shape)

    @property
    def importance(self) -> Tensor:
        """The sum of each expert's weights, shape :math:`(n)`."""
        total = self.weight.new_zeros(self.num_experts)
        return total.index_add(0, self.expert, self.weight)

    @property
    def load(self) -> Tensor:
        """The number of nodes of each expert, of shape :math:`(n)`. It is the
        expected number over the noise (differentiable) where noise was drawn,
        else the plain count.
        """
        if self.load_probabilities is not None:
            return self.load_probabilities.sum(dim=0)
        return self.counts.to(self.weight.dtype)

    def to_dense(self) -> Routing:
        """The same weights with a slot for every expert at every node; the
        slots that the router did not select have weight zero.
        """
        return Routing.dense(self.gates, self.logits, self.load_probabilities)

    def detach(self) -> Routing:
        """The same routing outside the autograd graph."""
        values = (self.weight, self.logits, self.load_probabilities)
        weight, logits, load = (v if v is None else v.detach() for v in values)
        assert weight is not None
        return replace(
            self, weight=weight, logits=logits, load_probabilities=load
        )

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(num_nodes={self.num_nodes}, '
            f'num_experts={self.num_experts}, num_slots={self.num_slots})'
        )
