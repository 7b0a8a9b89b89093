"""OGB's molecule network, with one expert or a mixture in each layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn import pool

from gmoe.common.arguments import check_choice, check_integer, check_share
from gmoe.nn.encoders.embedding import (
    ATOM_FEATURE_DIMS,
    BOND_FEATURE_DIMS,
    make_feature_encoder,
)
from gmoe.nn.encoders.graph_features import GraphFeatures
from gmoe.nn.encoders.ogb_codes import check_atoms
from gmoe.nn.models.layers import MixtureSettings
from gmoe.nn.models.network import Graphs, LayeredNetwork
from gmoe.nn.models.virtual_node import VirtualNode
from gmoe.routing import ROUTER_PRESETS, Routing

_POOLINGS = {
    'mean': pool.global_mean_pool,
    'sum': pool.global_add_pool,
    'max': pool.global_max_pool,
}


class GNN(LayeredNetwork):
    r"""The network of OGB's molecule examples (`Hu et al. 2020
    <https://arxiv.org/abs/2005.00687>`_): feature encoder, convolutions with
    batch normalisation, ReLU and dropout, pooling, linear head. Each layer is
    a single convolution, or a mixture of experts as in `GMoE
    <https://arxiv.org/abs/2304.02806>`_.

    Args:
        out_channels: Number of outputs per graph (tasks).
        hidden_channels: Size of the hidden features.
        num_layers: Number of layers.
        conv: :obj:`"gcn"`, :obj:`"gin"`, :obj:`"relational"`, or
            :obj:`"linear_gcn"`, whose messages have no ReLU.
        num_experts: Number of experts :math:`n` in a mixture layer; 1 for the
            single-expert network.
        num_experts_1hop: Number of hop-1 experts :math:`m`; the others look
            at hop-2 edges. For the single-expert network 1 or 0. (default:
            all)
        top_k: Number of experts selected per node.
        router: A key of :obj:`gmoe.routing.ROUTER_PRESETS`, or
            :obj:`"uniform"` for dense experts that are averaged.
        router_kwargs: Arguments of :class:`~gmoe.routing.Router` that
            override the preset's, such as ``{"topk_first": False}``.
        moe_layers: The layers (counted from 0) that are mixtures; the others
            are single hop-1 convolutions. (default: all)
        norm: Normalisation after each (expert's) convolution,
            :obj:`"batch_norm"` or :obj:`"layer_norm"`.
        combine: :obj:`"sum"`, as in the paper, or :obj:`"mean"`, as in its
            released code, which divides by :math:`n`.
        dispatch: :obj:`"sparse"` or :obj:`"dense"` (see
            :class:`~gmoe.nn.GMoEConv`).
        dropout: Dropout probability.
        jumping_knowledge: The nodes' final features: :obj:`"last"` layer, or
            the :obj:`"sum"` over all layers and the input.
        residual: Whether to add a layer's input to its output.
        virtual_node: Whether to add a virtual node.
        pooling: :obj:`"mean"`, :obj:`"sum"` or :obj:`"max"`.
        num_head_layers: Number of linear maps of the head, with ReLU between
            them.
        node_dims: The numbers of categories of categorical node features, or
            the number of floating-point node features.
        edge_dims: The numbers of categories of categorical edge features, the
            number of floating-point edge features, or :obj:`None`.
        graph_dims: The number of floating-point features of a graph, such as
            descriptors of a molecule, which are joined to the pooled ones
            (see :class:`~gmoe.nn.encoders.graph_features.GraphFeatures`).
            (default: none)
        head_dropout: Dropout probability before each linear map of the head.
        num_shared_experts: Number of hop-1 experts of each mixture that every
            node uses beside the chosen ones (see
            :class:`~gmoe.nn.GMoEConv`).

    Shapes:
        - **input:** node features :math:`(N, F)`, edge indices
          :math:`(2, E)`, edge features :math:`(E, F_e)`, graph of each node
          :math:`(N)`, hop-2 edge indices :math:`(2, E_2)`, hop-2 edge
          features :math:`(E_2, 2 F_e)`, features of the graphs
          :math:`(B, F_g)`
        - **output:** graph outputs :math:`(B, C)`, or ``(out, routings)``
          with the :class:`~gmoe.routing.Routing` of each mixture layer if
          :obj:`return_routing`

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        out_channels: int = 1,
        hidden_channels: int = 300,
        num_layers: int = 5,
        conv: str = 'gcn',
        num_experts: int = 1,
        num_experts_1hop: int | None = None,
        top_k: int | None = None,
        router: str = 'linear_softmax_topk',
        router_kwargs: dict[str, Any] | None = None,
        moe_layers: Sequence[int] | None = None,
        norm: str = 'batch_norm',
        combine: str = 'sum',
        dispatch: str = 'sparse',
        dropout: float = 0.5,
        jumping_knowledge: str = 'last',
        residual: bool = False,
        virtual_node: bool = False,
        pooling: str = 'mean',
        num_head_layers: int = 1,
        node_dims: int | Sequence[int] = ATOM_FEATURE_DIMS,
        edge_dims: int | Sequence[int] | None = BOND_FEATURE_DIMS,
        graph_dims: int | None = None,
        head_dropout: float = 0.0,
        num_shared_experts: int = 0,
    ) -> None:
        check_choice('jumping_knowledge', jumping_knowledge, ('last', 'sum'))
        check_choice('pooling', pooling, _POOLINGS)
        check_choice('router', router, (*ROUTER_PRESETS, 'uniform'))
        check_integer(
            1,
            out_channels=out_channels,
            hidden_channels=hidden_channels,
            num_layers=num_layers,
            num_head_layers=num_head_layers,
        )
        check_share(head_dropout=head_dropout)
        if graph_dims is not None:
            check_integer(1, graph_dims=graph_dims)
        mixture = MixtureSettings(
            num_experts,
            num_experts_1hop,
            top_k,
            router,
            router_kwargs,
            norm,
            combine,
            dispatch,
            num_shared_experts,
        )
        super().__init__(
            mixture,
            num_layers,
            moe_layers,
            dropout,
            residual=residual,
            relu_last=False,
        )
        self.out_channels = out_channels
        self.hidden_channels = hidden_channels
        self.jumping_knowledge = jumping_knowledge
        self.pooling = pooling

        self.node_encoder = make_feature_encoder(
            node_dims, hidden_channels, 'node_dims'
        )
        self.add_layers(conv, hidden_channels, edge_dims)
        if virtual_node:
            self.virtual_node = VirtualNode(
                hidden_channels, num_layers - 1, dropout, residual
            )
        self.graph_dims = graph_dims
        if graph_dims is not None:
            self.graph_features = GraphFeatures(graph_dims)
        self.head = _make_head(
            hidden_channels + (graph_dims or 0),
            hidden_channels,
            out_channels,
            num_head_layers,
            head_dropout,
        )

    @property
    def reads_atoms(self) -> bool:
        """Whether nodes are atoms with the codes of OGB's datasets."""
        return getattr(self.node_encoder, 'dims', None) == ATOM_FEATURE_DIMS

    def predict(
        self, x: Tensor, graphs: Graphs
    ) -> tuple[Tensor, list[Routing]]:
        h = x if self.node_encoder is None else self.node_encoder(x)
        if self.reads_atoms:
            check_atoms(x)
        hidden, routings = self.run_layers(h, graphs)
        h = hidden[-1]
        if self.jumping_knowledge == 'sum':
            h = torch.stack(hidden).sum(dim=0)
        pooled = _POOLINGS[self.pooling](h, graphs.batch, graphs.batch_size)
        if self.graph_features is not None:
            assert graphs.graph_attr is not None
            features = self.graph_features(graphs.graph_attr)
            pooled = torch.cat([pooled, features.to(pooled.dtype)], dim=1)
        return self.head(pooled), routings


def _make_head(
    in_channels: int,
    channels: int,
    out_channels: int,
    num_layers: int,
    dropout: float,
) -> nn.Module:
    sizes = [in_channels, *[channels] * (num_layers - 1), out_channels]
    maps: list[nn.Module] = []
    for layer in range(num_layers):
        if layer > 0:
            maps.append(nn.ReLU())
        if dropout > 0:
            maps.append(nn.Dropout(dropout))
        maps.append(nn.Linear(sizes[layer], sizes[layer + 1]))
    return nn.Sequential(*maps) if len(maps) > 1 else maps[0]
