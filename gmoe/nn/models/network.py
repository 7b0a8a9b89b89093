"""The part that networks share: they read graphs and run layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from torch import Tensor, nn
from torch_geometric.nn.inits import reset

from gmoe import ops
from gmoe.common.arguments import check_integer, check_share
from gmoe.nn.arguments import check_batch, check_nodes, count_1hop
from gmoe.nn.edge_mask import clear_after_failure, masked_hops
from gmoe.nn.encoders.graph_features import GraphFeatures
from gmoe.nn.hop_check import check_hop_2
from gmoe.nn.models.layers import (
    EdgeDims,
    MixtureSettings,
    make_layer,
    mixture_layers,
)
from gmoe.nn.models.pretrained import Pretrained
from gmoe.nn.models.virtual_node import VirtualNode
from gmoe.nn.neighborhood import Neighborhood
from gmoe.routing import Routing


class Graphs(NamedTuple):
    """A batch of graphs, as the layers of a network need it.

    Attributes:
        edge_index: Hop-1 edge indices of shape :math:`(2, E)`.
        edge_attr: Their features, encoded, of shape :math:`(E, F)`.
        hop1: The hop-1 edges.
        hop2: The hop-2 edges, where a layer looks at them.
        batch: The graph of each node, int64 of shape :math:`(N)`.
        batch_size: The number of graphs :math:`B`.
        graph_attr: Features of the graphs, as they are given, of shape
            :math:`(B, F_g)`.
    """

    edge_index: Tensor
    edge_attr: Tensor | None
    hop1: Neighborhood
    hop2: Neighborhood | None
    batch: Tensor
    batch_size: int
    graph_attr: Tensor | None = None


class LayeredNetwork(Pretrained):
    """The part that networks share whose layers are single convolutions or
    mixtures of experts.

    A network makes its layers with :meth:`add_layers` and predicts with
    :meth:`predict`, in which :meth:`run_layers` runs them.

    Args:
        mixture: The settings of the mixtures.
        num_layers: Number of layers.
        moe_layers: The layers (counted from 0) that are mixtures; the others
            are single hop-1 convolutions. (default: all)
        dropout: Dropout probability.
        residual: Whether to add a layer's input to its output.
        relu_last: Whether there is a ReLU after the last layer too.

    Raises:
        ValueError: If an argument is out of range.
    """

    convs: nn.ModuleList
    norms: nn.ModuleList
    virtual_node: VirtualNode | None
    #: The number of features of a graph, where a network reads some.
    graph_dims: int | None = None
    graph_features: GraphFeatures | None

    def __init__(
        self,
        mixture: MixtureSettings,
        num_layers: int,
        moe_layers: Sequence[int] | None,
        dropout: float,
        residual: bool,
        relu_last: bool,
    ) -> None:
        super().__init__()
        check_integer(0, num_layers=num_layers)
        check_share(dropout=dropout)
        n = mixture.num_experts
        self.mixture = mixture
        self.num_layers = num_layers
        self.num_experts = n
        self.num_experts_1hop = count_1hop(n, mixture.num_experts_1hop)
        self.moe_layers = mixture_layers(n, moe_layers, num_layers)
        self.dropout = dropout
        self.residual = residual
        self.relu_last = relu_last
        self.virtual_node = None
        self.graph_features = None
        self.register_forward_hook(clear_after_failure, always_call=True)

    def add_layers(
        self, conv: str, channels: int, edge_dims: EdgeDims
    ) -> None:
        """Makes the layers.

        Args:
            conv: A key of :obj:`CONVS`.
            channels: Size of the node features.
            edge_dims: The numbers of categories of categorical edge features,
                the number of floating-point edge features, or :obj:`None`.
        """
        mixture = single = self.mixture
        if self.num_experts > 1:
            # Next to mixtures, single convolutions look at one hop.
            single = replace(
                mixture,
                num_experts=1,
                num_experts_1hop=1,
                num_shared_experts=0,
            )
        kinds = [
            mixture if layer in self.moe_layers else single
            for layer in range(self.num_layers)
        ]
        layers = [make_layer(conv, channels, edge_dims, k) for k in kinds]
        self.convs = nn.ModuleList(conv for conv, _ in layers)
        self.norms = nn.ModuleList(norm for _, norm in layers)

    @property
    def num_hops(self) -> int:
        """1, or 2 if the network needs hop-2 edges."""
        looks_further = self.num_experts_1hop < self.num_experts
        used = self.num_layers if self.num_experts == 1 else self.moe_layers
        return 2 if looks_further and used else 1

    def reset_parameters(self) -> None:
        """Resets all parameters and running statistics."""
        for module in self.children():
            reset(module)

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
        graph_attr: Tensor | None = None,
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
            graph_attr: Features of the graphs, raw, needed where the network
                has :obj:`graph_dims`.

        Raises:
            ValueError: If an input has a wrong shape, type or range, or the
                hop-2 edges are missing, or not those of the hop-1 edges (see
                :func:`~gmoe.nn.hop_check.check_hop_2`).
        """
        num_nodes = check_nodes(x).size(0)
        batch, batch_size = check_batch(batch, x, batch_size)
        far = self.num_hops == 2
        if far and edge_index_2hop is None:
            raise ValueError(
                "'edge_index_2hop' must be given: the network looks at hop-2 "
                'edges; make them with gmoe.transforms.TwoHop, got None'
            )
        edge, edge_2hop = self.encode_edges(
            edge_attr, edge_attr_2hop if far else None
        )
        hop1 = Neighborhood.from_edge_index(edge_index, edge, num_nodes)
        hop2 = None
        if far:
            assert edge_index_2hop is not None
            hop2 = Neighborhood.from_edge_index(
                edge_index_2hop, edge_2hop, num_nodes, 'edge_index_2hop'
            )
            check_hop_2(hop1, hop2)
        self._check_graph_attr(graph_attr, batch_size)
        graphs = Graphs(
            edge_index, edge, hop1, hop2, batch, batch_size, graph_attr
        )
        out, routings = self.predict(x, graphs)
        return (out, routings) if return_routing else out

    def _check_graph_attr(
        self, graph_attr: Tensor | None, batch_size: int
    ) -> None:
        if self.graph_dims is None:
            if graph_attr is not None:
                raise ValueError(
                    "'graph_attr' must be None for a network without "
                    "'graph_dims', got features of graphs"
                )
            return
        expected = batch_size, self.graph_dims
        shape = getattr(graph_attr, 'shape', None)
        if shape is None or tuple(shape) != expected:
            raise ValueError(
                "'graph_attr' must be features of graphs of shape "
                f'{expected}, got {None if shape is None else tuple(shape)}'
            )

    def encode_edges(
        self, edge_attr: Tensor | None, edge_attr_2hop: Tensor | None
    ) -> tuple[Tensor | None, Tensor | None]:
        """The features of edges that the layers get: those that are given.

        Args:
            edge_attr: Hop-1 edge features.
            edge_attr_2hop: Hop-2 edge features, where they are needed.
        """
        return edge_attr, edge_attr_2hop

    def predict(
        self, x: Tensor, graphs: Graphs
    ) -> tuple[Tensor, list[Routing]]:
        """One row per graph, and the routing of each mixture.

        Args:
            x: Node features.
            graphs: The graphs.
        """
        raise NotImplementedError

    def run_layers(
        self, h: Tensor, graphs: Graphs
    ) -> tuple[list[Tensor], list[Routing]]:
        """The nodes' hidden features before and after each layer, and the
        routing of each mixture.

        Args:
            h: Hidden features of shape :math:`(N, D)`.
            graphs: The graphs.
        """
        hidden, virtual = [h], None
        routings: list[Routing] = []
        for layer in range(self.num_layers):
            h = hidden[-1]
            if self.virtual_node is not None:
                h, virtual = self.virtual_node(
                    layer, h, virtual, graphs.batch, graphs.batch_size
                )
                hidden[-1] = h
            h = self._convolve(layer, h, graphs, routings)
            relu = self.relu_last or layer < self.num_layers - 1
            h = ops.relu_dropout(h, self.dropout, self.training, relu)
            hidden.append(h + hidden[-1] if self.residual else h)
        return hidden, routings

    def _convolve(
        self, layer: int, h: Tensor, graphs: Graphs, routings: list[Routing]
    ) -> Tensor:
        conv, hop1, hop2 = self.convs[layer], graphs.hop1, graphs.hop2
        if layer in self.moe_layers:
            batch = graphs.batch if conv.needs_batch else None
            h, routing = conv(
                h,
                hop1,
                edge_index_2hop=hop2,
                return_routing=True,
                batch=batch,
            )
            routings.append(routing)
            return h
        far = hop2 if self.num_experts == 1 else None
        near, far = masked_hops(conv, hop1, far)
        return self.norms[layer](conv(h, near if far is None else far))
