"""Linear maps of several experts, each for its own rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gmoe import ops
from gmoe.routing import ExpertSlots


@dataclass(frozen=True)
class RoutedRows:
    r"""What the experts of a call see.

    Args:
        experts: The experts.
        rows: What they have aggregated, one row for each slot.
        x: Node features of shape :math:`(N, D_{in})`.
        slots: The slots.
        channels: The size of the experts' outputs.
    """

    experts: Sequence[Any]
    rows: Tensor
    x: Tensor
    slots: ExpertSlots
    channels: int

    def own(self) -> Tensor:
        """The features of each slot's own node."""
        return ops.gather_rows(self.x, self.slots.node)

    def map(self, name: str, rows: Tensor) -> Tensor:
        """Applies a linear map of each expert to its rows.

        Args:
            name: The attribute that holds the map.
            rows: One row for each slot.
        """
        linears = [getattr(expert, name) for expert in self.experts]
        return map_rows(linears, rows, self.slots.ptr)

    def parameter(self, name: str) -> Tensor:
        """A parameter of each slot's expert.

        Args:
            name: Its name.
        """
        stacked = [getattr(expert, name) for expert in self.experts]
        return ops.gather_rows(torch.stack(stacked), self.slots.expert)


def map_rows(linears: Iterable[Any], rows: Tensor, ptr: Tensor) -> Tensor:
    """Applies the linear map of each expert to its rows.

    Args:
        linears: The map of each expert. All have a bias, or none has.
        rows: The rows, ordered by expert.
        ptr: Expert pointer, int64 of shape :math:`(n + 1)`.
    """
    linears = list(linears)
    weight = torch.stack([linear.weight for linear in linears])
    biases = [linear.bias for linear in linears]
    bias = None if biases[0] is None else torch.stack(biases)
    return ops.grouped_linear(rows, weight.transpose(1, 2), bias, ptr)


def slot_rows(
    aggregates: Sequence[Tensor], slots: ExpertSlots, num_experts_1hop: int
) -> Tensor:
    """The row of each slot in what the experts of its hop have aggregated.

    Args:
        aggregates: What each of the hops in use gives, one row per node.
        slots: The slots.
        num_experts_1hop: The number of hop-1 experts, where both hops are in
            use.
    """
    if len(aggregates) == 1:
        return ops.gather_rows(aggregates[0], slots.node)
    # The rows of the second hop come after those of the first.
    second = slots.expert >= num_experts_1hop
    row = slots.node + second.to(slots.node.dtype) * aggregates[0].size(0)
    return ops.gather_rows(torch.cat(list(aggregates)), row)
