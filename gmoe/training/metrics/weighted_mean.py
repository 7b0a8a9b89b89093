"""The mean of values that count differently."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric


class WeightedMean(Metric):
    """The mean of values, each with a weight; NaN where all weights are zero.

    ``MeanMetric`` of torchmetrics drops values that are NaN, or the weights.
    """

    full_state_update = False
    total: Tensor
    weight: Tensor

    def __init__(self) -> None:
        super().__init__()
        for state in ('total', 'weight'):
            self.add_state(state, torch.tensor(0.0), dist_reduce_fx='sum')

    def update(self, value: Tensor, weight: Tensor | int) -> None:
        """Adds a value."""
        self.total = self.total + value.detach() * weight
        self.weight = self.weight + weight

    def compute(self) -> Tensor:
        """The mean."""
        return self.total / self.weight
