"""A virtual node that is connected to all nodes of its graph."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric.nn import global_add_pool
from torch_geometric.nn.inits import reset

from gmoe.nn.linear import Linear
from gmoe.nn.norm import BatchNorm


class VirtualNode(nn.Module):
    r"""The virtual node of OGB's molecule examples (`Gilmer et al. 2017
    <https://arxiv.org/abs/1704.01212>`_): before each layer its features are
    added to those of all nodes, and are then updated from their sum.

    Args:
        channels: Size of the features :math:`D`.
        num_updates: The number of updates: one less than there are layers.
        dropout: Dropout probability.
        residual: Whether an update is added to the features.

    Shapes:
        - **input:** layer, node features :math:`(N, D)`, virtual features
          :math:`(B, D)` or :obj:`None` before the first layer, graph of each
          node :math:`(N)`, number of graphs :math:`B`
        - **output:** node features :math:`(N, D)`, virtual features
          :math:`(B, D)`
    """

    def __init__(
        self, channels: int, num_updates: int, dropout: float, residual: bool
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.residual = residual
        self.embedding = nn.Parameter(torch.zeros(channels))
        self.mlps = nn.ModuleList(
            nn.Sequential(
                Linear(channels, 2 * channels),
                BatchNorm(2 * channels),
                nn.ReLU(),
                Linear(2 * channels, channels),
                BatchNorm(channels),
                nn.ReLU(),
            )
            for _ in range(num_updates)
        )

    def reset_parameters(self) -> None:
        """Sets the initial features to zero and resets the updates."""
        nn.init.zeros_(self.embedding)
        reset(self.mlps)

    def forward(
        self,
        layer: int,
        x: Tensor,
        virtual: Tensor | None,
        batch: Tensor,
        batch_size: int,
    ) -> tuple[Tensor, Tensor]:
        """Adds the virtual features to the nodes', then updates them."""
        if virtual is None:
            virtual = self.embedding.expand(batch_size, -1)
        x = x + virtual[batch]
        if layer < len(self.mlps):
            total = global_add_pool(x, batch, batch_size) + virtual
            update = functional.dropout(
                self.mlps[layer](total), self.dropout, self.training
            )
            virtual = virtual + update if self.residual else update
        return x, virtual
