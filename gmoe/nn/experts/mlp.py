"""Two-layer experts, computed at once."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from gmoe import ops
from gmoe.ops.routed_mlp import ACTIVATIONS
from gmoe.routing import Routing


class MLPExperts(nn.Module):
    r"""The weighted sum of experts that are a linear map, an activation and a
    linear map each.

    .. math::
        \mathbf{y}_i = \sum_o G_{io} \big( \sigma (\mathbf{x}_i
        \mathbf{W}^{(1)}_o + \mathbf{b}^{(1)}_o) \mathbf{W}^{(2)}_o +
        \mathbf{b}^{(2)}_o \big)

    The op :func:`gmoe.ops.routed_mlp` computes them.

    Args:
        in_channels: Size of each input vector.
        hidden_channels: Size between the two maps.
        out_channels: Size of each output vector.
        num_experts: Number of experts :math:`n`.
        activation: A key of :data:`ACTIVATIONS`.

    Shapes:
        - **input:** vectors :math:`(N, D_{in})`, their routing
        - **output:** vectors :math:`(N, D_{out})`

    Raises:
        ValueError: If the activation is unknown.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        out_channels: int,
        num_experts: int,
        activation: str = 'relu',
    ) -> None:
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ValueError(
                f"'activation' must be one of {sorted(ACTIVATIONS)}, got "
                f'{activation!r}'
            )
        self.activation = activation
        n, hidden = num_experts, hidden_channels
        # Both are plain matrices when the experts' axis is merged with hidden.
        self.weight1 = nn.Parameter(torch.empty(n, hidden, in_channels))
        self.bias1 = nn.Parameter(torch.empty(n, hidden))
        self.weight2 = nn.Parameter(torch.empty(n, hidden, out_channels))
        self.bias2 = nn.Parameter(torch.empty(n, out_channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws the parameters as :class:`torch.nn.Linear` does."""
        _, hidden, in_channels = self.weight1.shape
        for weight, bias, size in (
            (self.weight1, self.bias1, in_channels),
            (self.weight2, self.bias2, hidden),
        ):
            bound = 1 / math.sqrt(size)
            nn.init.uniform_(weight, -bound, bound)
            nn.init.uniform_(bias, -bound, bound)

    def forward(self, x: Tensor, routing: Routing) -> Tensor:
        """The weighted sums for vectors of shape :math:`(N, D_{in})`."""
        return ops.routed_mlp(
            x,
            self.weight1,
            self.bias1,
            self.weight2,
            self.bias2,
            routing.weight,
            routing.expert,
            routing.ptr,
            self.activation,
            routing.slots_per_node,
        )

    def __repr__(self) -> str:
        num_experts, hidden, in_channels = self.weight1.shape
        return (
            f'{self.__class__.__name__}({in_channels}, {hidden}, '
            f'{self.weight2.size(2)}, num_experts={num_experts}, '
            f'activation={self.activation!r})'
        )
