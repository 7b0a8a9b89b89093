"""The layers of a network of nodes: single convolutions, and mixtures."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor, nn
from torch_geometric import nn as pyg
from torch_geometric.nn import MessagePassing

from gmoe.nn.experts import ModuleExperts
from gmoe.nn.experts.shared import SharedCall
from gmoe.nn.gmoe_conv import GMoEConv
from gmoe.nn.hop_check import hop_2_of
from gmoe.nn.models.layers import MixtureSettings
from gmoe.nn.neighborhood import Neighborhood
from gmoe.routing import Routing

NODE_CONVS = ('gcn', 'sage', 'gat')


def make_node_conv(
    kind: str, in_channels: int, out_channels: int, heads: int = 1
) -> MessagePassing:
    """A convolution as PyG has it.

    Args:
        kind: One of :obj:`NODE_CONVS`.
        in_channels: Size of the features that it takes.
        out_channels: Size of those that it gives.
        heads: The number of attention heads of :obj:`"gat"`, which share the
            output.

    Raises:
        ValueError: If they cannot.
    """
    if kind == 'gcn':
        return pyg.GCNConv(in_channels, out_channels)
    if kind == 'sage':
        return pyg.SAGEConv(in_channels, out_channels)
    if out_channels % heads:
        raise ValueError(
            f"'hidden_channels' must be a multiple of heads={heads}, and so "
            "must 'out_channels' be if the last convolution gives the "
            f'outputs, got {out_channels}'
        )
    return pyg.GATConv(in_channels, out_channels // heads, heads)


def make_node_layer(
    kind: str,
    in_channels: int,
    out_channels: int,
    heads: int,
    mixture: MixtureSettings | None,
) -> nn.Module:
    """A layer: one convolution, or a mixture of several.

    Args:
        kind: One of :obj:`NODE_CONVS`.
        in_channels: Size of the features that it takes.
        out_channels: Size of those that it gives.
        heads: The number of attention heads.
        mixture: The settings of the mixture; :obj:`None` for one convolution.
    """

    def make() -> MessagePassing:
        return make_node_conv(kind, in_channels, out_channels, heads)

    if mixture is None:
        return make()
    experts = [make() for _ in range(mixture.num_experts)]
    bank = ModuleExperts(experts, mixture.num_experts_1hop)
    shared = [make() for _ in range(mixture.num_shared_experts)]
    return mixture.make(bank, ModuleExperts(shared) if shared else None)


def make_end(ends: str, in_channels: int, out_channels: int) -> nn.Module:
    """What is before the first convolution, or after the last layer.

    Args:
        ends: :obj:`"linear"` for a linear map, :obj:`"conv"` for nothing.
        in_channels: Size of the features that the map takes.
        out_channels: Size of those that it gives.
    """
    if ends == 'conv':
        return nn.Identity()
    return nn.Linear(in_channels, out_channels)


def node_hops(
    edge_index: Tensor | Neighborhood,
    edge_index_2hop: Tensor | Neighborhood | None,
    num_nodes: int,
    far: bool,
) -> tuple[Neighborhood, Neighborhood | None]:
    """The edges of a call, sorted by their targets.

    Args:
        edge_index: The hop-1 edges.
        edge_index_2hop: The hop-2 edges.
        num_nodes: The number of nodes.
        far: Whether hop-2 edges are needed.

    Raises:
        ValueError: If edges are wrong, or missing.
    """
    hop1 = Neighborhood.of(edge_index, None, num_nodes)
    if not far:
        return hop1, None
    reason = 'the network looks at hop-2 edges'
    return hop1, hop_2_of(edge_index_2hop, None, hop1, num_nodes, reason)


class NodeInputs(NamedTuple):
    """What the layers of a call see beside the hidden features.

    Args:
        hop1: The hop-1 edges, or those of single convolutions.
        hop2: The hop-2 edges, if there are experts that look at them.
        router_input: More columns for the routers, if there are some.
        edge_weight: The weights of the hop-1 edges, likewise.
    """

    hop1: Neighborhood
    hop2: Neighborhood | None
    router_input: Tensor | None
    edge_weight: Tensor | None

    def run(
        self, conv: nn.Module, h: Tensor, routings: list[Routing]
    ) -> Tensor:
        """Runs a layer; a mixture adds its routing. A single convolution
        whose message is linear in the features is a sparse product.

        Args:
            conv: What :func:`make_node_layer` has made.
            h: Hidden features.
            routings: The routings of the layers before.
        """
        kwargs: dict[str, Any] = {}
        if self.edge_weight is not None:
            kwargs['edge_weight'] = self.edge_weight
        if not isinstance(conv, GMoEConv):
            # By itself, it would make a row for each edge.
            call = SharedCall.of([conv], h, [self.hop1], kwargs)
            if call is not None:
                return call.output_of_all(h)
            return conv(h, self.hop1.given_edge_index, **kwargs)
        out, routing = conv(
            h,
            self.hop1,
            edge_index_2hop=self.hop2,
            return_routing=True,
            router_input=self.router_input,
            **kwargs,
        )
        routings.append(routing)
        return out
