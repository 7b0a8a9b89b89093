"""OGB's molecule network, with one expert or a mixture in each layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, overload

import torch
from torch import Tensor, nn
from torch_geometric.nn import pool
from torch_geometric.nn.inits import reset

from gmoe import ops
from gmoe.nn.arguments import (
    check_at_least,
    check_batch,
    check_choice,
    check_dropout,
)
from gmoe.nn.edge_mask import clear_after_failure, masked_hops
from gmoe.nn.encoders.embedding import (
    ATOM_FEATURE_DIMS,
    BOND_FEATURE_DIMS,
    make_feature_encoder,
)
from gmoe.nn.encoders.ogb_codes import check_atoms
from gmoe.nn.hop_check import check_hop_2
from gmoe.nn.models.layers import CONVS, make_layer, mixture_layers
from gmoe.nn.models.virtual_node import VirtualNode
from gmoe.nn.neighborhood import Neighborhood
from gmoe.routing import ROUTER_PRESETS, Routing

_POOLINGS = {
    'mean': pool.global_mean_pool,
    'sum': pool.global_add_pool,
    'max': pool.global_max_pool,
}


class GNN(nn.Module):
    r"""The network of OGB's molecule examples (`Hu et al. 2020
    <https://arxiv.org/abs/2005.00687>`_): feature encoder, convolutions with
    batch normalisation, ReLU and dropout, pooling, linear head. Each layer is
    a single convolution, or a mixture of experts as in `GMoE
    <https://arxiv.org/abs/2304.02806>`_.

    Args:
        out_channels: Number of outputs per graph (tasks).
        hidden_channels: Size of the hidden features.
        num_layers: Number of layers.
        conv: :obj:`"gcn"`, :obj:`"gin"` or :obj:`"relational"`.
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

    Shapes:
        - **input:** node features :math:`(N, F)`, edge indices
          :math:`(2, E)`, edge features :math:`(E, F_e)`, graph of each node
          :math:`(N)`, hop-2 edge indices :math:`(2, E_2)`, hop-2 edge
          features :math:`(E_2, 2 F_e)`
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
    ) -> None:
        super().__init__()
        check_choice('conv', conv, CONVS)
        check_choice('norm', norm, ('batch_norm', 'layer_norm'))
        check_choice('jumping_knowledge', jumping_knowledge, ('last', 'sum'))
        check_choice('pooling', pooling, _POOLINGS)
        check_choice('router', router, (*ROUTER_PRESETS, 'uniform'))
        check_at_least(
            1,
            out_channels=out_channels,
            hidden_channels=hidden_channels,
            num_layers=num_layers,
            num_experts=num_experts,
            num_head_layers=num_head_layers,
        )
        check_dropout(dropout=dropout)
        if num_experts_1hop is None:
            num_experts_1hop = num_experts
        if not 0 <= num_experts_1hop <= num_experts:
            raise ValueError(
                "'num_experts_1hop' must be an integer from 0 to "
                f'num_experts={num_experts}, got {num_experts_1hop}'
            )
        moe_layers = mixture_layers(num_experts, moe_layers, num_layers)

        self.out_channels = out_channels
        self.hidden_channels = hidden_channels
        self.num_layers = num_layers
        self.num_experts = num_experts
        self.num_experts_1hop = num_experts_1hop
        self.moe_layers = moe_layers
        self.dropout = dropout
        self.jumping_knowledge = jumping_knowledge
        self.residual = residual
        self.pooling = pooling

        self.node_encoder = make_feature_encoder(node_dims, hidden_channels)
        self.convs = nn.ModuleList()
        self.norms = nn.ModuleList()
        for layer in range(num_layers):
            layer_conv, layer_norm = make_layer(
                conv,
                hidden_channels,
                num_experts if layer in moe_layers else 1,
                # Next to mixtures, single convolutions look at one hop.
                num_experts_1hop
                if layer in moe_layers or num_experts == 1
                else 1,
                top_k,
                router,
                norm,
                combine,
                dispatch,
                edge_dims,
                router_kwargs,
            )
            self.convs.append(layer_conv)
            self.norms.append(layer_norm)
        self.virtual_node = (
            VirtualNode(hidden_channels, num_layers - 1, dropout, residual)
            if virtual_node
            else None
        )
        self.head = _make_head(hidden_channels, out_channels, num_head_layers)
        self.register_forward_hook(clear_after_failure, always_call=True)

    @property
    def num_hops(self) -> int:
        """1, or 2 if the network needs hop-2 edges."""
        looks_further = self.num_experts_1hop < self.num_experts
        used = self.num_experts == 1 or len(self.moe_layers) > 0
        return 2 if looks_further and used else 1

    @property
    def reads_atoms(self) -> bool:
        """Whether nodes are atoms with the codes of OGB's datasets."""
        return getattr(self.node_encoder, 'dims', None) == ATOM_FEATURE_DIMS

    def reset_parameters(self) -> None:
        """Resets all parameters and running statistics."""
        for module in self.children():
            reset(module)

    @overload
    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        edge_attr: Tensor | None = None,
        batch: Tensor | None = None,
        edge_index_2hop: Tensor | None = None,
        edge_attr_2hop: Tensor | None = None,
        *,
        batch_size: int | None = None,
        return_routing: Literal[False] = False,
    ) -> Tensor: ...

    @overload
    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        edge_attr: Tensor | None = None,
        batch: Tensor | None = None,
        edge_index_2hop: Tensor | None = None,
        edge_attr_2hop: Tensor | None = None,
        *,
        batch_size: int | None = None,
        return_routing: Literal[True],
    ) -> tuple[Tensor, list[Routing]]: ...

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        edge_attr: Tensor | None = None,
        batch: Tensor | None = None,
        edge_index_2hop: Tensor | None = None,
        edge_attr_2hop: Tensor | None = None,
        *,
        batch_size: int | None = None,
        return_routing: bool = False,
    ) -> Tensor | tuple[Tensor, list[Routing]]:
        r"""Predicts one row per graph.

        Args:
            x: Node features.
            edge_index: Hop-1 edges.
            edge_attr: Hop-1 edge features.
            batch: The graph of each node. (default: one graph)
            edge_index_2hop: Hop-2 edges, needed where there are hop-2
                experts.
            edge_attr_2hop: Hop-2 edge features.
            batch_size: The number of graphs. (default: read from
                :obj:`batch`)
            return_routing: Whether to return the routings too.

        Raises:
            ValueError: If an input has a wrong shape, type or range, or the
                hop-2 edges are missing, or not those of the hop-1 edges (see
                :func:`~gmoe.nn.hop_check.check_hop_2`).
        """
        if not isinstance(x, Tensor) or x.dim() != 2:
            got = list(x.shape) if isinstance(x, Tensor) else type(x).__name__
            raise ValueError(
                "'x' must be a tensor of shape [num_nodes, num_features], "
                f'got {got}'
            )
        if batch is None:
            batch = x.new_zeros(x.size(0), dtype=torch.long)
            batch_size = 1
        if batch_size is None:
            batch_size = int(batch.max()) + 1 if batch.numel() > 0 else 0
        num_nodes = x.size(0)
        check_batch(batch, num_nodes, batch_size)
        hop1 = Neighborhood.from_edge_index(edge_index, edge_attr, num_nodes)
        hop2 = None
        if self.num_hops == 2:
            if edge_index_2hop is None:
                raise ValueError(
                    "'edge_index_2hop' must be given: the network looks at "
                    'hop-2 edges; make them with gmoe.transforms.TwoHop, got '
                    'None'
                )
            hop2 = Neighborhood.from_edge_index(
                edge_index_2hop, edge_attr_2hop, num_nodes, 'edge_index_2hop'
            )
            check_hop_2(hop1, hop2)

        h = x if self.node_encoder is None else self.node_encoder(x)
        if self.reads_atoms:
            check_atoms(x)
        hidden, virtual = [h], None
        routings: list[Routing] = []
        for layer in range(self.num_layers):
            h = hidden[-1]
            if self.virtual_node is not None:
                h, virtual = self.virtual_node(
                    layer, h, virtual, batch, batch_size
                )
                hidden[-1] = h
            h = self._convolve(layer, h, hop1, hop2, routings)
            h = ops.relu_dropout(
                h, self.dropout, self.training, layer < self.num_layers - 1
            )
            if self.residual:
                h = h + hidden[-1]
            hidden.append(h)
        if self.jumping_knowledge == 'sum':
            h = torch.stack(hidden).sum(dim=0)
        out = self.head(_POOLINGS[self.pooling](h, batch, batch_size))
        return (out, routings) if return_routing else out

    def _convolve(
        self,
        layer: int,
        h: Tensor,
        hop1: Neighborhood,
        hop2: Neighborhood | None,
        routings: list[Routing],
    ) -> Tensor:
        conv = self.convs[layer]
        if layer in self.moe_layers:
            h, routing = conv(
                h, hop1, edge_index_2hop=hop2, return_routing=True
            )
            routings.append(routing)
            return h
        far = hop2 if self.num_experts == 1 else None
        near, far = masked_hops(conv, hop1, far)
        return self.norms[layer](conv(h, near if far is None else far))


def _make_head(
    channels: int, out_channels: int, num_layers: int
) -> nn.Linear | nn.Sequential:
    maps: list[nn.Module] = []
    for _ in range(num_layers - 1):
        maps += [nn.Linear(channels, channels), nn.ReLU()]
    last = nn.Linear(channels, out_channels)
    return nn.Sequential(*maps, last) if maps else last
