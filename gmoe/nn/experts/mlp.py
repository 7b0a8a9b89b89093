"""Experts of two linear maps each, for vectors without a graph."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from gmoe import ops
from gmoe.common.arguments import check_choice, check_integer
from gmoe.nn.experts.bank import draw_linear, stacked
from gmoe.ops.routed_mlp import ACTIVATIONS
from gmoe.routing import Routing


class MLPExperts(nn.Module):
    r"""The weighted sum of experts that are a linear map, an activation and a
    linear map each.

    .. math::
        \mathbf{y}_i = \sum_o G_{io} \big( \sigma (\mathbf{x}_i
        \mathbf{W}^{(1)}_o + \mathbf{b}^{(1)}_o) \mathbf{W}^{(2)}_o +
        \mathbf{b}^{(2)}_o \big)

    The op :func:`gmoe.ops.routed_mlp` computes them. The weights are stacked
    as in the other banks, :obj:`weight1` of shape :math:`(n, D_{in}, H)` and
    :obj:`weight2` of shape :math:`(n, H, D_{out})`. A state dict holds
    :obj:`weight1` as :math:`(n, H, D_{in})`, as files always did.

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
        ValueError: If a size is below 1, or the activation unknown.
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
        check_choice('activation', activation, ACTIVATIONS)
        check_integer(
            1,
            in_channels=in_channels,
            hidden_channels=hidden_channels,
            out_channels=out_channels,
            num_experts=num_experts,
        )
        self.activation = activation
        n, hidden = num_experts, hidden_channels
        # In memory, as in files, an input's weights lie side by side: the op
        # takes them as they are.
        weight1 = torch.empty(n, hidden, in_channels).transpose(1, 2)
        self.weight1 = nn.Parameter(weight1)
        self.bias1 = stacked(n, hidden)
        self.weight2 = stacked(n, hidden, out_channels)
        self.bias2 = stacked(n, out_channels)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws the parameters as :class:`torch.nn.Linear` does."""
        draw_linear(self.weight1.size(1), self.weight1, self.bias1)
        draw_linear(self.weight2.size(1), self.weight2, self.bias2)

    def forward(self, x: Tensor, routing: Routing) -> Tensor:
        """The weighted sums for vectors of shape :math:`(N, D_{in})`."""
        return ops.routed_mlp(
            x,
            self.weight1.transpose(1, 2),
            self.bias1,
            self.weight2,
            self.bias2,
            routing.weight,
            routing.expert,
            routing.ptr,
            self.activation,
            routing.slots_per_node,
        )

    def _save_to_state_dict(
        self, destination: dict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        key = f'{prefix}weight1'
        destination[key] = destination[key].transpose(1, 2)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any
    ) -> None:
        key = f'{prefix}weight1'
        if key in state_dict:
            state_dict[key] = state_dict[key].transpose(1, 2)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def __repr__(self) -> str:
        num_experts, in_channels, hidden = self.weight1.shape
        return (
            f'{self.__class__.__name__}({in_channels}, {hidden}, '
            f'{self.weight2.size(2)}, num_experts={num_experts}, '
            f'activation={self.activation!r})'
        )
