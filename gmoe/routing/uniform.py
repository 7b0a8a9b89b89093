"""A mixture without a gate."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gmoe.routing.routing import Routing


class UniformRouter(nn.Module):
    """Every expert at every node with the same weight :math:`1 / n`: a dense
    mixture without a gate.

    Args:
        num_experts: Number of experts :math:`n`.
    """

    #: Whether the graph of each node matters, as for a :class:`Router`.
    needs_batch = False

    def __init__(self, num_experts: int) -> None:
        super().__init__()
        self.num_experts = num_experts

    def reset_parameters(self) -> None:
        """Does nothing: there are no parameters."""

    def forward(self, x: Tensor) -> Routing:
        """Routes nodes of features :math:`(N, D)` to all experts."""
        dtype = torch.promote_types(x.dtype, torch.float32)
        shape = (x.size(0), self.num_experts)
        weight = 1 / self.num_experts
        gates = torch.full(shape, weight, dtype=dtype, device=x.device)
        return Routing.dense(gates)

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.num_experts})'
