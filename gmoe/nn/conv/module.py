"""A bank of arbitrary PyG convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import signature

import torch
from torch import Tensor, nn
from torch_geometric.nn import (
    GATConv,
    GATv2Conv,
    GeneralConv,
    GINConv,
    GINEConv,
    GraphConv,
    LEConv,
    MessagePassing,
    NNConv,
    ResGatedGraphConv,
    SAGEConv,
    TransformerConv,
)
from torch_geometric.nn.inits import reset

from gmoe.nn.conv.bank import BankPart, ExpertBank
from gmoe.nn.conv.ogb import OGBGINConv
from gmoe.nn.neighborhood import Neighborhood
from gmoe.routing import ExpertSlots

#: Convolutions whose output at a node depends on nothing but the edges into
#: that node and the features at their ends.
LOCAL_CONVS = (
    GATConv,
    GATv2Conv,
    GeneralConv,
    GINConv,
    GINEConv,
    GraphConv,
    LEConv,
    NNConv,
    OGBGINConv,
    ResGatedGraphConv,
    SAGEConv,
    TransformerConv,
)


class ModuleExperts(ExpertBank):
    r"""A bank made of any PyG convolutions, of one kind or of several::

        ModuleExperts([
            GATv2Conv(64, 64, edge_dim=16),
            SAGEConv(64, 64),
            TransformerConv(64, 64, edge_dim=16),
        ])

    A convolution that is known to be local (:obj:`LOCAL_CONVS`: its output at
    a node depends only on the edges into that node) runs on the subgraph of
    its routed nodes and their in-neighbours. Any other, such as
    :class:`~torch_geometric.nn.GCNConv`, whose weights depend on the degrees
    of the neighbours, runs on the whole graph, so that its outputs are right.
    A convolution that normalises over nodes inside sees the nodes that it
    runs on.

    Args:
        modules: The experts. Each takes ``(x, edge_index)``, or
            ``(x, edge_index, edge_attr)`` where edge features are given and
            its :obj:`forward` has such an argument.
        num_experts_1hop: The first :math:`m` experts look at hop-1 edges, the
            others at hop-2 edges, whose features are those of their two edges
            in order. (default: all)
        local: Overrides what is known of the modules: :obj:`True` promises
            that all of them are local, :obj:`False` runs all of them on the
            whole graph.

    Shapes:
        - **input:** node features :math:`(N, D_{in})`, slots, hop-1 edges,
          hop-2 edges
        - **output:** slot outputs :math:`(S, D_{out})`

    Raises:
        ValueError: If there are no modules, or their sizes differ.
    """

    def __init__(
        self,
        modules: Sequence[MessagePassing],
        num_experts_1hop: int | None = None,
        local: bool | None = None,
    ) -> None:
        modules = list(modules)
        if len(modules) == 0:
            raise ValueError("'modules' must hold at least one module, got []")
        sizes = [(_in_channels(m), _out_channels(m)) for m in modules]
        if len(set(sizes)) > 1:
            raise ValueError(
                "'modules' must agree in their input and output sizes, got "
                f'{sizes}'
            )
        super().__init__(*sizes[0], len(modules), num_experts_1hop)
        self.experts = nn.ModuleList(modules)
        self.local = local

    def reset_parameters(self) -> None:
        reset(self.experts)

    def forward(
        self,
        x: Tensor,
        slots: ExpertSlots,
        hop1: Neighborhood | None,
        hop2: Neighborhood | None,
    ) -> Tensor:
        outs = []
        for part in self.parts(slots, hop1, hop2):
            bounds = part.slots.ptr.tolist()
            experts = self.experts[part.experts]
            for expert, first, last in zip(experts, bounds, bounds[1:]):
                node = part.slots.node[first:last]
                outs.append(self._forward_expert(x, expert, node, part))
        return torch.cat(outs)

    def _forward_expert(
        self, x: Tensor, expert: nn.Module, node: Tensor, part: BankPart
    ) -> Tensor:
        if node.numel() == 0:
            # In distributed training every parameter needs a gradient.
            unused = sum(p.sum() * 0 for p in expert.parameters())
            return x.new_zeros(0, self.out_channels) + unused
        hop = part.hop
        local = self.local
        if local is None:
            # With the other flow, messages arrive at an edge's source.
            flow = getattr(expert, 'flow', None)
            local = flow == 'source_to_target' and isinstance(
                expert, LOCAL_CONVS
            )
        if not local or node.numel() == hop.num_nodes:
            out = _call(expert, x, hop.edge_index, hop.edge_attr)
            return out.index_select(0, node)
        # Edges into routed nodes; routed nodes first, in their order.
        routed = torch.zeros(
            hop.num_nodes, dtype=torch.bool, device=x.device
        ).index_fill_(0, node, True)
        edge = routed[hop.target].nonzero().view(-1)
        source, target = hop.source[edge], hop.target[edge]
        halo = torch.zeros_like(routed).index_fill_(0, source, True)
        halo = (halo & ~routed).nonzero().view(-1)
        kept = torch.cat([node, halo])
        position = torch.empty_like(hop.ptr[1:])
        position[kept] = torch.arange(kept.numel(), device=x.device)
        edge_index = torch.stack([position[source], position[target]])
        edge_attr = None if hop.edge_attr is None else hop.edge_attr[edge]
        out = _call(expert, x[kept], edge_index, edge_attr)
        return out[: node.numel()]

    def __repr__(self) -> str:
        kinds = ', '.join(type(expert).__name__ for expert in self.experts)
        return (
            f'{self.__class__.__name__}([{kinds}], '
            f'num_experts_1hop={self.num_experts_1hop})'
        )


def _call(
    expert: nn.Module, x: Tensor, edge_index: Tensor, edge_attr: Tensor | None
) -> Tensor:
    if edge_attr is None:
        return expert(x, edge_index)
    accepted = signature(expert.forward).parameters
    if 'edge_attr' in accepted:
        return expert(x, edge_index, edge_attr=edge_attr)
    if 'edge_weight' not in accepted:
        return expert(x, edge_index)
    if edge_attr.size(1) != 1:
        raise ValueError(
            "'edge_attr' must have one feature, as the weight of each edge "
            f'for {type(expert).__name__}, got {edge_attr.size(1)}'
        )
    return expert(x, edge_index, edge_weight=edge_attr.view(-1))


def _in_channels(module: nn.Module) -> int:
    size: object = getattr(module, 'in_channels', None)
    if size is None:
        # GINConv and its like hold only their network.
        size = next(iter(_sizes(module, 'in')), None)
    if isinstance(size, tuple) and len(set(size)) == 1:
        size = size[0]
    if not isinstance(size, int) or size < 1:
        raise ValueError(
            f"'modules' must know their input size ('in_channels'), got "
            f'{size} from {module}'
        )
    return size


def _out_channels(module: nn.Module) -> int:
    size: object = getattr(module, 'out_channels', None)
    if size is None:
        size = next(iter(_sizes(module, 'out')[::-1]), None)
    if not isinstance(size, int) or size < 1:
        raise ValueError(
            f"'modules' must know their output size ('out_channels'), got "
            f'{size} from {module}'
        )
    heads = getattr(module, 'heads', 1)
    return size * heads if getattr(module, 'concat', False) else size


def _sizes(module: nn.Module, side: str) -> list[object]:
    # The input or output sizes of the linear maps of a module's network.
    network = getattr(module, 'nn', None)
    if not isinstance(network, nn.Module):
        return []
    sizes = [
        getattr(m, f'{side}_features', getattr(m, f'{side}_channels', None))
        for m in network.modules()
    ]
    return [size for size in sizes if size is not None]
