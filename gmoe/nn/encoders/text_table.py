"""Features of texts that a network looks up by code."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class TextTable(nn.Module):
    """Linear maps of the features of texts, which are looked up by code.

    The features are not parameters and are not saved: who loads the network
    gives it those of the texts at hand. Each text's are normalised to mean
    zero and variance one; all of those of code 0, a hidden text, are zero.

    Args:
        in_channels: Number of features of a text.
        out_channels: Size of the output.
        num_maps: Number of linear maps of each text.
        dropout: Dropout probability of the features.

    Shapes:
        - **input:** codes :math:`(N)`
        - **output:** rows :math:`(N, D)`, for one map
    """

    table: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        num_maps: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.num_maps = num_maps
        self.dropout = dropout
        self.linear = nn.Linear(in_channels, num_maps * out_channels)
        empty = torch.zeros(0, in_channels)
        self.register_buffer('table', empty, persistent=False)

    @property
    def num_texts(self) -> int:
        """The number of texts, the hidden one included."""
        if self.table.size(0) == 0:
            raise RuntimeError(
                "'table' must hold the features of the texts before the first "
                'call, got none: set them with set_tables()'
            )
        return self.table.size(0)

    def reset_parameters(self) -> None:
        """Resets the linear maps."""
        self.linear.reset_parameters()

    def set_table(self, table: Tensor, name: str = 'table') -> None:
        """Sets the features of the texts.

        Args:
            table: Features by code.
            name: How error messages call them.

        Raises:
            ValueError: If it has the wrong shape, or no text.
        """
        size = self.linear.in_features
        if table.dim() != 2 or table.size(1) != size or table.size(0) == 0:
            raise ValueError(
                f"'{name}' must have shape [num_texts, {size}] with at least "
                f'one text, got {list(table.shape)}'
            )
        weight = self.linear.weight
        table = table.to(weight.device, weight.dtype)
        self.table = functional.layer_norm(table, (size,))

    def forward(self, code: Tensor) -> Tensor:
        """Maps the features of some texts."""
        return self._map(self.table[code])

    def rows(self) -> Tensor:
        """All texts, one row after the other for each of the maps."""
        rows = self._map(self.table)
        return rows.view(self.num_texts * self.num_maps, -1)

    def _map(self, rows: Tensor) -> Tensor:
        rows = functional.dropout(rows, self.dropout, self.training)
        return self.linear(rows)
