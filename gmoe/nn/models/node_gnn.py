"""A network that classifies the nodes of one graph."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal, overload

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric.nn.inits import reset

from gmoe.common.arguments import check_choice, check_integer, check_share
from gmoe.nn.arguments import check_nodes, count_1hop
from gmoe.nn.models.layers import MixtureSettings, mixture_layers
from gmoe.nn.models.node_layers import (
    NODE_CONVS,
    NodeInputs,
    make_end,
    make_node_layer,
    node_hops,
)
from gmoe.nn.models.pretrained import Pretrained
from gmoe.nn.neighborhood import Neighborhood
from gmoe.nn.norm import NORMS
from gmoe.routing import Routing


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
    the outputs. With ``ends='conv'``, as in OGB's examples, there are no such
    maps: the first convolution takes the features, the last one gives the
    outputs.

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
        router: A key of :obj:`gmoe.routing.ROUTER_PRESETS`;
            :obj:`"uniform"`; or :obj:`None` for :obj:`router_kwargs` alone.
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
        ends: What is before the first convolution and after the last layer:
            :obj:`"linear"` maps, or nothing: :obj:`"conv"`.
        num_shared_experts: Number of hop-1 experts of each mixture that every
            node uses beside the chosen ones.
        router_columns: Number of columns of :obj:`router_input`, which
            routers see beside the hidden features.
        router_neighborhood: Whether routers see the mean of the hidden
            features of a node's neighbours, too.

    Shapes:
        - **input:** node features :math:`(N, F)`, edge indices
          :math:`(2, E)`, hop-2 edge indices :math:`(2, E_2)`, edge weights
          :math:`(E)`, router input :math:`(N, C_r)`
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
        router: str | None = 'linear_softmax_topk',
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
        ends: str = 'linear',
        num_shared_experts: int = 0,
        router_columns: int = 0,
        router_neighborhood: bool = False,
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
        check_choice('ends', ends, ('linear', 'conv'))
        if ends == 'conv' and jumping_knowledge != 'last':
            raise ValueError(
                "'jumping_knowledge' must be 'last' with ends='conv', where "
                f'the last layer gives the outputs, got {jumping_knowledge!r}'
            )
        self.in_channels, self.out_channels = in_channels, out_channels
        self.hidden_channels, self.num_layers = hidden_channels, num_layers
        self.conv, self.heads = conv, heads
        self.num_experts = num_experts
        self.num_experts_1hop = count_1hop(num_experts, num_experts_1hop)
        self.moe_layers = mixture_layers(num_experts, moe_layers, num_layers)
        self.jumping_knowledge, self.ends = jumping_knowledge, ends
        self.router_columns = router_columns
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
            num_shared_experts,
            router_columns,
            router_neighborhood,
        )
        sizes = [hidden_channels] * (num_layers + 1)
        if ends == 'conv':
            sizes[0], sizes[-1] = in_channels, out_channels
        self.input = make_end(ends, in_channels, hidden_channels)
        ways = list(pairwise(sizes))
        self.convs = nn.ModuleList(
            make_node_layer(
                conv, *way, heads, mixture if i in self.moe_layers else None
            )
            for i, way in enumerate(ways)
        )
        self.skips = nn.ModuleList(nn.Linear(*way) for way in ways if residual)
        self.norms = nn.ModuleList(
            nn.Identity() if norm is None else NORMS[norm](size)
            for size in sizes[1 : num_layers + (ends == 'linear')]
        )
        self.head = make_end(ends, hidden_channels, out_channels)

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
        router_input: Tensor | None = None,
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
        router_input: Tensor | None = None,
        *,
        return_routing: Literal[True],
    ) -> tuple[Tensor, list[Routing]]: ...

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor | Neighborhood,
        edge_index_2hop: Tensor | Neighborhood | None = None,
        edge_weight: Tensor | None = None,
        router_input: Tensor | None = None,
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
            router_input: More columns for the routers (see
                :class:`gmoe.transforms.RouterInput`), as many as
                :obj:`router_columns`.
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
        far = self.num_hops == 2
        hop1, hop2 = node_hops(edge_index, edge_index_2hop, x.size(0), far)
        if hop2 is not None and self.num_experts == 1:
            hop1 = hop2  # Single convolutions look at one hop.
        inputs = NodeInputs(
            hop1,
            hop2,
            self._columns(router_input),
            self._weight(edge_weight),
        )
        h = functional.dropout(x, self.input_dropout, self.training)
        h = self.input(h)
        hidden: list[Tensor] = []
        routings: list[Routing] = []
        for number, conv in enumerate(self.convs):
            out = inputs.run(conv, h, routings)
            if self.skips:
                out = out + self.skips[number](h)
            if number < len(self.norms):
                out = self.norms[number](out).relu()
                out = functional.dropout(out, self.dropout, self.training)
            h = out
            hidden.append(h)
        if self.jumping_knowledge == 'sum':
            h = torch.stack(hidden).sum(dim=0)
        out = self.head(h)
        return (out, routings) if return_routing else out

    def _columns(self, router_input: Tensor | None) -> Tensor | None:
        count = 0 if router_input is None else router_input.size(-1)
        if count != self.router_columns:
            raise ValueError(
                f"'router_input' must have {self.router_columns} columns, "
                f"as 'router_columns' says, got {count}; make them with "
                'gmoe.transforms.RouterInput'
            )
        return router_input

    def _weight(self, edge_weight: Tensor | None) -> Tensor | None:
        far = self.num_hops == 2
        if edge_weight is not None and (self.conv != 'gcn' or far):
            raise ValueError(
                "'edge_weight' must be left out but for conv='gcn' whose "
                f'experts all look at hop-1 edges, got conv={self.conv!r} and '
                f'{self.num_experts_1hop} of {self.num_experts} such experts'
            )
        return edge_weight

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.in_channels}, '
            f'{self.out_channels}, hidden_channels={self.hidden_channels}, '
            f'num_layers={self.num_layers}, conv={self.conv!r}, '
            f'num_experts={self.num_experts}, '
            f'num_experts_1hop={self.num_experts_1hop})'
        )
