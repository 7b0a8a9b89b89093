"""A metric of how much each expert is used."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric

from gmoe.routing import Routing


class ExpertUsage(Metric):
    """Counts the nodes that each expert of each mixture layer handled.

    Args:
        num_layers: Number of mixture layers.
        num_experts: Number of experts of each of them.
    """

    full_state_update = False
    counts: Tensor

    def __init__(self, num_layers: int, num_experts: int) -> None:
        super().__init__()
        self.add_state(
            'counts',
            default=torch.zeros(num_layers, num_experts, dtype=torch.long),
            dist_reduce_fx='sum',
        )

    def update(self, routings: Sequence[Routing]) -> None:
        """Adds the routings of a forward pass."""
        self.counts += torch.stack([routing.counts for routing in routings])

    def compute(self) -> Tensor:
        """The share of each layer's assignments that went to each expert, of
        shape ``[num_layers, num_experts]``.
        """
        total = self.counts.sum(dim=1, keepdim=True).clamp(min=1)
        return self.counts / total
