"""A network that classifies the nodes of one graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, overload

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric import nn as pyg
from torch_geometric.nn import MessagePassing
from torch_geometric.nn.inits import reset

from gmoe.common.arguments import check_choice, check_integer, check_share
from gmoe.nn.arguments import check_nodes, count_1hop
from gmoe.nn.experts import ModuleExperts
from gmoe.nn.gmoe_conv import GMoEConv
from gmoe.nn.hop_check import check_hop_2
from gmoe.nn.models.layers import MixtureSettings, mixture_layers
from gmoe.nn.models.pretrained import Pretrained
from gmoe.nn.neighborhood import Neighborhood
from gmoe.nn.norm import NORMS
from gmoe.routing import Routing

NODE_CONVS = ('gcn', 'sage', 'gat')


class NodeGNN(Pretrained):
    r"""A network for the nodes of one graph, with the habits of the strong
    baselines of `"Classic GNNs are Strong Baselines"
    <https://arxiv.org/abs/2406.08993>`_, each of whose layers is one
    convolution, or a mixture of experts as in `GMoE
    <https://arxiv.org/abs/2304.02806>`_.

    .. math::
        \mathbf{H}^{(0)} = \mathbf{X} \mathbf{W}_{in}, \qquad
        \mathbf{H}^{(l+1)} = \mathrm{dropout} \big( \mathrm{relu} \big(
        \mathrm{norm} \big( \mathrm{conv}(\mathbf{H}^{(l)}) +
        \mathbf{H}^{(l)} \mathbf{W}^{(l)} \big) \big) \big)

    A linear map of the last layer's features, or of the sum over layers, are
    the outputs.

    Args:
        in_channels: Number of features of a node.
        out_channels: Number of outputs of a node.
        hidden_channels: Size of the hidden features.
        num_layers: Number of layers.
        conv: :obj:`"gcn"`, :obj:`"sage"` or :obj:`"gat"`, as PyG has them.
        heads: The number of attention heads of :obj:`"gat"`, which share the
            hidden features.
        num_experts: Number of experts :math:`n` in a mixture layer; 1 for
            the single-expert network.
        num_experts_1hop: Number of hop-1 experts :math:`m`; the others look
            at hop-2 edges. For the single-expert network 1 or 0. (default:
            all)
        top_k: Number of experts selected per node.
        router: A key of :obj:`gmoe.routing.ROUTER_PRESETS`, or
            :obj:`"uniform"`.
        router_kwargs: Arguments of :class:`~gmoe.routing.Router` that
            override the preset's.
        moe_layers: The layers (counted from 0) that are mixtures; the others
            are single hop-1 convolutions. (default: all)
        expert_norm: Normalisation of each expert's outputs,
            :obj:`"batch_norm"`, :obj:`"layer_norm"` or :obj:`None`.
        combine: :obj:`"sum"` or :obj:`"mean"`.
        dispatch: :obj:`"sparse"` or :obj:`"dense"`.
        norm: Normalisation after each layer, :obj:`"batch_norm"`,
            :obj:`"layer_norm"` or :obj:`None`.
        residual: Whether a linear map of a layer's input is added.
        jumping_knowledge: What the outputs see: the :obj:`"last"` layer, or
            the :obj:`"sum"` over all layers.
        dropout: Dropout probability after each layer.
        input_dropout: Dropout probability of the features of nodes.

    Shapes:
        - **input:** node features :math:`(N, F)`, edge indices
          :math:`(2, E)`, hop-2 edge indices :math:`(2, E_2)`, edge weights
          :math:`(E)`
        - **output:** node outputs :math:`(N, C)`, or ``(out, routings)`` with
          the :class:`~gmoe.routing.Routing` of each mixture layer if
          :obj:`return_routing`

    Raises:
        ValueError: If an argument is out of range.
    """

    #: It reads no features of whole graphs.
    graph_dims: int | None = None
    graph_features = None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        hidden_channels: int = 64,
        num_layers: int = 4,
        conv: str = 'sage',
        heads: int = 1,
        num_experts: int = 1,
        num_experts_1hop: int | None = None,
        top_k: int | None = None,
        router: str = 'linear_softmax_topk',
        router_kwargs: dict[str, Any] | None = None,
        moe_layers: Sequence[int] | None = None,
        expert_norm: str | None = None,
        combine: str = 'sum',
        dispatch: str = 'sparse',
        norm: str | None = 'batch_norm',
        residual: bool = True,
        jumping_knowledge: str = 'last',
        dropout: float = 0.2,
        input_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_integer(
            1,
            in_channels=in_channels,
            out_channels=out_channels,
            hidden_channels=hidden_channels,
            num_layers=num_layers,
            heads=heads,
        )
        check_choice('conv', conv, NODE_CONVS)
        check_choice('norm', norm, (*NORMS, None))
        check_choice('expert_norm', expert_norm, (*NORMS, None))
        check_choice('jumping_knowledge', jumping_knowledge, ('last', 'sum'))
        check_share(dropout=dropout, input_dropout=input_dropout)
        if conv == 'gat' and hidden_channels % heads:
            raise ValueError(
                f"'hidden_channels' must be a multiple of heads={heads}, got "
                f'{hidden_channels}'
            )
        self.in_channels, self.out_channels = in_channels, out_channels
        self.hidden_channels, self.num_layers = hidden_channels, num_layers
        self.conv, self.heads = conv, heads
        self.num_experts = num_experts
        self.num_experts_1hop = count_1hop(num_experts, num_experts_1hop)
        self.moe_layers = mixture_layers(num_experts, moe_layers, num_layers)
        self.jumping_knowledge = jumping_knowledge
        self.dropout, self.input_dropout = dropout, input_dropout
        mixture = MixtureSettings(
            num_experts,
            num_experts_1hop,
            top_k,
            router,
            router_kwargs,
            expert_norm,
            combine,
            dispatch,
        )
        hidden, layers = hidden_channels, range(num_layers)
        self.input = nn.Linear(in_channels, hidden)
        self.convs = nn.ModuleList(self._layer(i, mixture) for i in layers)
        self.skips = nn.ModuleList(
            nn.Linear(hidden, hidden) for _ in layers if residual
        )
        self.norms = nn.ModuleList(
            nn.Identity() if norm is None else NORMS[norm](hidden)
            for _ in layers
        )
        self.head = nn.Linear(hidden, out_channels)

    def _layer(self, number: int, mixture: MixtureSettings) -> nn.Module:
        if number not in self.moe_layers:
            return self._conv()
        experts = [self._conv() for _ in range(self.num_experts)]
        return mixture.make(ModuleExperts(experts, self.num_experts_1hop))

    def _conv(self) -> MessagePassing:
        size = self.hidden_channels
        if self.conv == 'gcn':
            return pyg.GCNConv(size, size)
        if self.conv == 'sage':
            return pyg.SAGEConv(size, size)
        return pyg.GATConv(size, size // self.heads, self.heads)

    @property
    def num_hops(self) -> int:
        """1, or 2 if the network needs hop-2 edges."""
        looks_further = self.num_experts_1hop < self.num_experts
        has_any = self.num_experts == 1 or bool(self.moe_layers)
        return 2 if looks_further and has_any else 1

    def reset_parameters(self) -> None:
        """Resets all parameters and running statistics."""
        for module in self.children():
            reset(module)

    @overload
    def forward(
        self,
        x: Tensor,
        edge_index: Tensor | Neighborhood,
        edge_index_2hop: Tensor | Neighborhood | None = None,
        edge_weight: Tensor | None = None,
        *,
        return_routing: Literal[False] = False,
    ) -> Tensor: ...

    @overload
    def forward(
        self,
        x: Tensor,
        edge_index: Tensor | Neighborhood,
        edge_index_2hop: Tensor | Neighborhood | None = None,
        edge_weight: Tensor | None = None,
        *,
        return_routing: Literal[True],
    ) -> tuple[Tensor, list[Routing]]: ...

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor | Neighborhood,
        edge_index_2hop: Tensor | Neighborhood | None = None,
        edge_weight: Tensor | None = None,
        *,
        return_routing: bool = False,
    ) -> Tensor | tuple[Tensor, list[Routing]]:
        """Predicts one row per node.

        Args:
            x: Node features.
            edge_index: Hop-1 edges.
            edge_index_2hop: Hop-2 edges, needed where there are hop-2
                experts.
            edge_weight: Weights of the hop-1 edges, for :obj:`"gcn"` whose
                experts all look at them.
            return_routing: Whether to return the routings too.

        Raises:
            ValueError: If an input has a wrong shape, type or range, or the
                hop-2 edges are missing.
        """
        if check_nodes(x).size(1) != self.in_channels:
            raise ValueError(
                f"'x' must have {self.in_channels} features for each node, "
                f'got {x.size(1)}'
            )
        hops = self._hops(edge_index, edge_index_2hop, x.size(0))
        kwargs = self._weights(edge_weight)
        h = functional.dropout(x, self.input_dropout, self.training)
        h = self.input(h)
        hidden: list[Tensor] = []
        routings: list[Routing] = []
        for number in range(self.num_layers):
            out = self._convolve(number, h, hops, kwargs, routings)
            if self.skips:
                out = out + self.skips[number](h)
            out = self.norms[number](out).relu()
            h = functional.dropout(out, self.dropout, self.training)
            hidden.append(h)
        if self.jumping_knowledge == 'sum':
            h = torch.stack(hidden).sum(dim=0)
        out = self.head(h)
        return (out, routings) if return_routing else out

    def _hops(
        self,
        edge_index: Tensor | Neighborhood,
        edge_index_2hop: Tensor | Neighborhood | None,
        num_nodes: int,
    ) -> tuple[Neighborhood, Neighborhood | None]:
        hop1 = Neighborhood.of(edge_index, None, num_nodes)
        if self.num_hops == 1:
            return hop1, None
        if edge_index_2hop is None:
            raise ValueError(
                "'edge_index_2hop' must be given: the network looks at hop-2 "
                'edges; make them with gmoe.transforms.TwoHop, got None'
            )
        hop2 = Neighborhood.of(
            edge_index_2hop, None, num_nodes, 'edge_index_2hop'
        )
        if not isinstance(edge_index_2hop, Neighborhood):
            check_hop_2(hop1, hop2)
        return hop1, hop2

    def _weights(self, edge_weight: Tensor | None) -> dict[str, Tensor]:
        if edge_weight is None:
            return {}
        if self.conv != 'gcn' or self.num_hops == 2:
            raise ValueError(
                "'edge_weight' must be left out but for conv='gcn' whose "
                f'experts all look at hop-1 edges, got conv={self.conv!r} and '
                f'{self.num_experts_1hop} of {self.num_experts} such experts'
            )
        return {'edge_weight': edge_weight}

    def _convolve(
        self,
        number: int,
        h: Tensor,
        hops: tuple[Neighborhood, Neighborhood | None],
        kwargs: dict[str, Tensor],
        routings: list[Routing],
    ) -> Tensor:
        conv, (hop1, hop2) = self.convs[number], hops
        if isinstance(conv, GMoEConv):
            out, routing = conv(
                h, hop1, edge_index_2hop=hop2, return_routing=True, **kwargs
            )
            routings.append(routing)
            return out
        # Next to mixtures, single convolutions look at one hop.
        hop = hop2 if self.num_experts == 1 and hop2 is not None else hop1
        return conv(h, hop.given_edge_index, **kwargs)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.in_channels}, '
            f'{self.out_channels}, hidden_channels={self.hidden_channels}, '
            f'num_layers={self.num_layers}, conv={self.conv!r}, '
            f'num_experts={self.num_experts}, '
            f'num_experts_1hop={self.num_experts_1hop})'
        )
