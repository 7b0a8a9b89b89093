"""The plain convolutions of OGB's molecule examples: one expert, no gate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn import MessagePassing
from torch_geometric.nn.inits import reset
from torch_geometric.utils import degree

from gmoe.nn.embedding import (
    CategoricalEncoder,
    LinearEncoder,
    make_feature_encoder,
)
from gmoe.nn.linear import Linear
from gmoe.nn.norm import NORMS


class OGBGCNConv(MessagePassing):
    r"""The graph convolution with edge features of the molecule examples of
    the `Open Graph Benchmark <https://arxiv.org/abs/2005.00687>`_. See
    :class:`GCNExperts` for the formula.

    Args:
        in_channels: Size of each input node's features.
        out_channels: Size of each output node's features.
        edge_dims: The numbers of categories of categorical edge features, the
            number of floating-point edge features, or :obj:`None`.
        **kwargs: Arguments of PyG's :class:`MessagePassing`.

    Shapes:
        - **input:** node features :math:`(N, D_{in})`, edge indices
          :math:`(2, E)`, edge features :math:`(E, F)`
        - **output:** node features :math:`(N, D_{out})`
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        edge_dims: int | Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault('aggr', 'add')
        super().__init__(**kwargs)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.linear = Linear(in_channels, out_channels)
        self.root = nn.Parameter(torch.empty(out_channels))
        self.edge_encoder = make_feature_encoder(edge_dims, out_channels)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Resets all parameters."""
        super().reset_parameters()
        self.linear.reset_parameters()
        nn.init.normal_(self.root)
        if self.edge_encoder is not None:
            self.edge_encoder.reset_parameters()

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        edge_attr: Tensor | None = None,
    ) -> Tensor:
        """Convolves node features."""
        x = self.linear(x)
        term = _edge_term(self.edge_encoder, edge_attr)
        source, target = edge_index
        deg = degree(source, x.size(0), dtype=x.dtype) + 1
        scale = deg.rsqrt()
        weight = (scale[source] * scale[target]).unsqueeze(-1)
        out = self.propagate(edge_index, x=x, edge_term=term, weight=weight)
        return out + (x + self.root).relu() / deg.unsqueeze(-1)

    def message(
        self, x_j: Tensor, edge_term: Tensor | None, weight: Tensor
    ) -> Tensor:
        if edge_term is not None:
            x_j = x_j + edge_term
        return weight * x_j.relu()


class OGBGINConv(MessagePassing):
    r"""The graph isomorphism convolution with edge features of the molecule
    examples of the `Open Graph Benchmark
    <https://arxiv.org/abs/2005.00687>`_. See :class:`GINExperts` for the
    formula.

    Args:
        in_channels: Size of each input node's features.
        out_channels: Size of each output node's features.
        edge_dims: The numbers of categories of categorical edge features, the
            number of floating-point edge features, or :obj:`None`.
        norm: The normalisation inside the MLP, :obj:`"batch_norm"` or
            :obj:`"layer_norm"`.
        **kwargs: Arguments of PyG's :class:`MessagePassing`.

    Shapes:
        - **input:** node features :math:`(N, D_{in})`, edge indices
          :math:`(2, E)`, edge features :math:`(E, F)`
        - **output:** node features :math:`(N, D_{out})`
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        edge_dims: int | Sequence[int] | None = None,
        norm: str = 'batch_norm',
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault('aggr', 'add')
        super().__init__(**kwargs)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.eps = nn.Parameter(torch.zeros(1))
        self.mlp = nn.Sequential(
            Linear(in_channels, 2 * in_channels),
            NORMS[norm](2 * in_channels),
            nn.ReLU(),
            Linear(2 * in_channels, out_channels),
        )
        self.edge_encoder = make_feature_encoder(edge_dims, in_channels)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Resets all parameters."""
        super().reset_parameters()
        nn.init.zeros_(self.eps)
        reset(self.mlp)
        if self.edge_encoder is not None:
            self.edge_encoder.reset_parameters()

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        edge_attr: Tensor | None = None,
    ) -> Tensor:
        """Convolves node features."""
        term = _edge_term(self.edge_encoder, edge_attr)
        out = self.propagate(edge_index, x=x, edge_term=term)
        return self.mlp((1 + self.eps) * x + out)

    def message(self, x_j: Tensor, edge_term: Tensor | None) -> Tensor:
        if edge_term is not None:
            x_j = x_j + edge_term
        return x_j.relu()


def _edge_term(
    encoder: LinearEncoder | CategoricalEncoder | None,
    edge_attr: Tensor | None,
) -> Tensor | None:
    if encoder is None:
        return None
    if edge_attr is None:
        raise ValueError(
            "'edge_attr' must be given: the convolution expects edge "
            'features, got None'
        )
    return encoder(edge_attr, 'edge_attr')
