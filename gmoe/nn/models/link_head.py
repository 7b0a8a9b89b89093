"""Scores pairs of nodes by their features."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.nn.inits import reset

from gmoe import ops
from gmoe.common.arguments import check_choice, check_integer, check_share

LINK_HEADS = ('mlp', 'dot')
# The most numbers of the features of pairs at a time. More would leave the
# cache, and be in memory that the system has to clear anew in each step.
_MAX_PART = 2**21


class LinkHead(nn.Module):
    r"""Scores how likely two nodes are linked, in either direction:

    .. math::
        s_{ij} = \mathrm{mlp}(\mathbf{h}_i \odot \mathbf{h}_j)
        \quad \text{or} \quad
        s_{ij} = \mathbf{h}_i^{\top} \mathbf{h}_j

    The first is that of the examples of `OGB
    <https://arxiv.org/abs/2005.00687>`_; its layers but the last are followed
    by ReLU and dropout.

    Args:
        channels: Size of the features :math:`D`.
        kind: :obj:`"mlp"` or :obj:`"dot"`.
        num_layers: Number of layers of the first.
        dropout: Its dropout probability.

    Shapes:
        - **input:** node features :math:`(N, D)`, pairs of nodes
          :math:`(2, P)`
        - **output:** logits :math:`(P)`

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        channels: int,
        kind: str = 'mlp',
        num_layers: int = 2,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_choice('kind', kind, LINK_HEADS)
        check_integer(1, channels=channels, num_layers=num_layers)
        check_share(dropout=dropout)
        self.channels, self.kind, self.dropout = channels, kind, dropout
        sizes = [] if kind == 'dot' else [channels] * num_layers
        self.linears = nn.ModuleList(
            nn.Linear(size, other)
            for size, other in zip(sizes, [*sizes[1:], 1])
        )

    def reset_parameters(self) -> None:
        """Resets all parameters."""
        reset(self.linears)

    def forward(self, h: Tensor, pairs: Tensor) -> Tensor:
        """Scores pairs.

        Args:
            h: Node features.
            pairs: The two nodes of each pair.

        Raises:
            ValueError: If a shape is wrong.
        """
        if pairs.dim() != 2 or pairs.size(0) != 2:
            raise ValueError(
                "'pairs' must be of shape [2, num_pairs], got "
                f'{list(pairs.shape)}'
            )
        # All pairs at once would take many times what is kept of them.
        parts = pairs.split(max(1, _MAX_PART // self.channels), dim=1)
        return torch.cat([self._score(h, part) for part in parts])

    def _score(self, h: Tensor, pairs: Tensor) -> Tensor:
        product = ops.gather_rows(h, pairs[0]) * ops.gather_rows(h, pairs[1])
        if self.kind == 'dot':
            return product.sum(dim=1)
        for linear in self.linears[:-1]:
            product = ops.relu_dropout(
                linear(product), self.dropout, self.training
            )
        return self.linears[-1](product).squeeze(1)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.channels}, kind={self.kind!r}, '
            f'num_layers={len(self.linears)})'
        )
