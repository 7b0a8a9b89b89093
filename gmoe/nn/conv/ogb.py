"""The plain convolutions of OGB's molecule examples: one expert, no gate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn.inits import reset
from torch_geometric.utils import degree

from gmoe import ops
from gmoe.nn.conv.neighborhood_conv import NeighborhoodConv
from gmoe.nn.encoders.edge_encoder import categorical_terms
from gmoe.nn.encoders.embedding import (
    CategoricalEncoder,
    make_feature_encoder,
)
from gmoe.nn.linear import Linear
from gmoe.nn.neighborhood import Neighborhood
from gmoe.nn.norm import NORMS
from gmoe.ops.backend import use_native


class OGBGCNConv(NeighborhoodConv):
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
          :math:`(2, E)`, edge features :math:`(E, F)`; or, in place of the
          edges and their features, a :class:`~gmoe.nn.Neighborhood`, for
          fused ops on the CPU
        - **output:** node features :math:`(N, D_{out})`
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        edge_dims: int | Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            in_channels, out_channels, **{'aggr': 'add', **kwargs}
        )
        self.linear = Linear(in_channels, out_channels)
        self.root = nn.Parameter(torch.empty(out_channels))
        self.edge_encoder = make_feature_encoder(edge_dims, out_channels)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Resets all parameters."""
        self.linear.reset_parameters()
        nn.init.normal_(self.root)
        reset(self.edge_encoder)

    def _convolve(
        self, x: Tensor, edge_index: Tensor, edge_term: Tensor | None
    ) -> Tensor:
        x = self.linear(x)
        source, target = edge_index
        deg = degree(source, x.size(0), dtype=x.dtype) + 1
        scale = deg.rsqrt()
        weight = (scale[source] * scale[target]).unsqueeze(-1)
        out = self.propagate(
            edge_index, x=x, edge_term=edge_term, weight=weight
        )
        return out + self._activate(x + self.root) / deg.unsqueeze(-1)

    def _activate(self, x: Tensor) -> Tensor:
        return x.relu()

    def _convolve_hop(self, x: Tensor, hop: Neighborhood) -> Tensor:
        if not _is_fused(x):
            return super()._convolve_hop(x, hop)
        weights = hop.gcn_norm(torch.promote_types(x.dtype, torch.float32))
        return ops.gcn_experts(
            x,
            self.linear.weight.t().unsqueeze(0),
            self.linear.bias.unsqueeze(0),
            self.root.unsqueeze(0),
            *_every_node(hop),
            [_message_hop(self, hop, *weights)],
            slots_per_node=1,
        )

    def message(
        self, x_j: Tensor, edge_term: Tensor | None, weight: Tensor
    ) -> Tensor:
        if edge_term is not None:
            x_j = x_j + edge_term
        return weight * self._activate(x_j)


class OGBGINConv(NeighborhoodConv):
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
          :math:`(2, E)`, edge features :math:`(E, F)`; or, in place of the
          edges and their features, a :class:`~gmoe.nn.Neighborhood`, for
          fused ops on the CPU
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
        super().__init__(
            in_channels, out_channels, **{'aggr': 'add', **kwargs}
        )
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

    def _convolve(
        self, x: Tensor, edge_index: Tensor, edge_term: Tensor | None
    ) -> Tensor:
        out = self.propagate(edge_index, x=x, edge_term=edge_term)
        return self.mlp((1 + self.eps) * x + out)

    def _convolve_hop(self, x: Tensor, hop: Neighborhood) -> Tensor:
        if not _is_fused(x):
            return super()._convolve_hop(x, hop)
        out = ops.routed_message(
            x,
            *_every_node(hop),
            [_message_hop(self, hop)],
            self_scale=1 + self.eps,
            slots_per_node=1,
        )
        return self.mlp(out)

    def message(self, x_j: Tensor, edge_term: Tensor | None) -> Tensor:
        if edge_term is not None:
            x_j = x_j + edge_term
        return x_j.relu()


def _is_fused(x: Tensor) -> bool:
    # A compiler fuses by itself.
    return not torch.compiler.is_compiling() and use_native(x, cuda=False)


def _every_node(hop: Neighborhood) -> tuple[Tensor, Tensor]:
    # The slots of one expert that takes every node.
    def make() -> tuple[Tensor, Tensor]:
        node = torch.arange(hop.num_nodes)
        return node, torch.zeros_like(node)

    return hop.memo('every node', make)


def _message_hop(
    conv: NeighborhoodConv, hop: Neighborhood, *weights: Tensor
) -> ops.MessageHop:
    encoder = conv.edge_encoder
    tables: list[Tensor] = []
    codes: list[Tensor] = []
    if isinstance(encoder, CategoricalEncoder) and hop.edge_attr is not None:
        # The features of a hop-2 edge's two edges are two groups.
        dims, half = encoder.dims, len(encoder.dims) // 2
        if half > 0 and dims[:half] == dims[half:]:
            dims = dims[:half]
        groups = len(encoder.dims) // len(dims)
        weight = encoder.weight.view(1, groups, sum(dims), -1)
        offsets = encoder.offsets[: len(dims)]
        tables, codes = categorical_terms(hop, weight, dims, offsets)
    elif (term := conv._edge_term(hop.edge_attr)) is not None:
        tables = [term.unsqueeze(0)]
        codes = [torch.arange(hop.num_edges)]
    return ops.MessageHop(1, hop.ptr, hop.source, tables, codes, *weights)
