"""Two-layer experts, computed at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from gmoe import ops
from gmoe.routing import Routing

#: What may stand between the two linear maps of an expert.
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    'relu': nn.functional.relu,
    'gelu': nn.functional.gelu,
    'tanh': torch.tanh,
    'silu': nn.functional.silu,
}

# Not in every version of PyTorch.
_grouped_mm: Any = getattr(nn.functional, 'grouped_mm', None)


class MLPExperts(nn.Module):
    r"""The weighted sum of experts that are a linear map, an activation and a
    linear map each.

    .. math::
        \mathbf{y}_i = \sum_o G_{io} \big( \sigma (\mathbf{x}_i
        \mathbf{W}^{(1)}_o + \mathbf{b}^{(1)}_o) \mathbf{W}^{(2)}_o +
        \mathbf{b}^{(2)}_o \big)

    Each expert computes its own rows: those of a usual batch in the fused op
    :func:`gmoe.ops.routed_mlp`; else, where the router leaves experts out, in
    one grouped matrix product per map. Where neither serves the type or the
    device, and in compiled or exported code, all experts compute all rows: the
    weights :math:`G` then enter before the second map, so that each map is one
    matrix product for all experts, of which the second also sums over them.

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
        if torch.compiler.is_compiling():
            # The compiler takes the grouped product for one of bfloat16 only,
            # and a graph of plain operators fits any number of rows.
            return self._dense(x, routing)
        out = ops.routed_mlp(
            x,
            self.weight1,
            self.bias1,
            self.weight2,
            self.bias2,
            routing.weight,
            routing.expert,
            routing.ptr,
            self.activation,
        )
        if out is not None:
            return out
        if self._is_grouped(x, routing):
            return self._routed(x, routing)
        return self._dense(x, routing)

    def _dense(self, x: Tensor, routing: Routing) -> Tensor:
        num_experts, hidden, _ = self.weight1.shape
        h = linear(x, self.weight1.flatten(0, 1), self.bias1.flatten())
        h = ACTIVATIONS[self.activation](h)
        gates = routing.gates.to(h.dtype)
        h = h.view(-1, num_experts, hidden) * gates.unsqueeze(-1)
        out = h.flatten(1) @ self.weight2.flatten(0, 1)
        return out + gates @ self.bias2

    def _routed(self, x: Tensor, routing: Routing) -> Tensor:
        slots = routing.by_expert
        ends = slots.ptr[1:].to(torch.int32)
        h = x.index_select(0, slots.node)
        h = _grouped_mm(h, self.weight1.transpose(1, 2), offs=ends)
        h = h + self.bias1.index_select(0, slots.expert)
        h = ACTIVATIONS[self.activation](h)
        h = _grouped_mm(h, self.weight2, offs=ends)
        h = h + self.bias2.index_select(0, slots.expert)
        return ops.combine(
            h,
            slots.weight,
            slots.node,
            slots.order,
            x.size(0),
            slots.slots_per_node,
        )

    def _is_grouped(self, x: Tensor, routing: Routing) -> bool:
        # On a GPU, one product of a few rows with all weights is no slower.
        return (
            _grouped_mm is not None
            and x.device.type == 'cpu'
            and x.dtype == self.weight1.dtype == torch.float32
            and not torch.is_autocast_enabled('cpu')
            and routing.num_slots < x.size(0) * routing.num_experts
            # Its rows are to begin at multiples of 16 bytes.
            and all(s % 4 == 0 for s in self.weight1.shape[1:])
            and self.weight2.size(2) % 4 == 0
        )

    def __repr__(self) -> str:
        num_experts, hidden, in_channels = self.weight1.shape
        return (
            f'{self.__class__.__name__}({in_channels}, {hidden}, '
            f'{self.weight2.size(2)}, num_experts={num_experts}, '
            f'activation={self.activation!r})'
        )
