"""A bank of arbitrary PyG convolutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric import nn as pyg
from torch_geometric.nn import MessagePassing
from torch_geometric.nn.inits import reset

from gmoe.common.arguments import check_choice
from gmoe.nn.conv.ogb import OGBGINConv
from gmoe.nn.edge_mask import use_mask
from gmoe.nn.experts import expert_module
from gmoe.nn.experts.bank import ExpertBank
from gmoe.nn.experts.shared import SHARED_CONVS, SharedCall, find_shared
from gmoe.nn.neighborhood import Neighborhood
from gmoe.routing import ExpertSlots

#: Convolutions whose output at a node depends on nothing but the edges into
#: that node and the features at their ends.
LOCAL_CONVS = (
    pyg.GATConv,
    pyg.GATv2Conv,
    pyg.GeneralConv,
    pyg.GINConv,
    pyg.GINEConv,
    pyg.GraphConv,
    pyg.LEConv,
    pyg.NNConv,
    OGBGINConv,
    pyg.ResGatedGraphConv,
    pyg.SAGEConv,
    pyg.TransformerConv,
)

# Arguments with one row per edge, besides the features.
_EDGE_ARGUMENTS = {'edge_type', 'edge_weight'}


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

    Experts that are all of one of the classes :obj:`SHARED_CONVS`, with the
    same settings but weights of their own, share one aggregation of the input
    per hop: a sum over neighbours as such a convolution weighs them, as one
    sparse product. Each expert then transforms the rows of its own nodes only,
    so the cost hardly depends on the number of experts. The network of a
    :class:`~torch_geometric.nn.GINConv` sees these rows alone, and so do batch
    statistics inside. While a prediction is explained, where somebody listens
    to a convolution, and with a :obj:`cached` graph, each runs by itself.

    What else the convolutions take is given to the layer by name, as to them:
    ``conv(x, edge_index, edge_type=edge_type)`` for
    :class:`~torch_geometric.nn.RGCNConv`, ``x_0`` for
    :class:`~torch_geometric.nn.GCN2Conv`. Each gets those that its
    :obj:`forward` has.

    Args:
        modules: The experts. Each takes ``(x, edge_index)``, or
            ``(x, edge_index, edge_attr)`` where edge features are given and
            its :obj:`forward` has such an argument. One that has weights or
            types of edges in place of features takes a single feature as
            those.
        num_experts_1hop: The first :math:`m` experts look at hop-1 edges, the
            others at hop-2 edges, whose features are those of their two edges
            in order. (default: all)
        local: Overrides what is known of the modules: :obj:`True` promises
            that all of them are local, :obj:`False` runs all of them on the
            whole graph.
        in_channels: The input size, where the modules do not know it.
        out_channels: The output size, where they do not.
        share_aggregation: :obj:`False` lets each convolution aggregate by
            itself, :obj:`True` refuses modules that cannot share. (default:
            where they can)

    Shapes:
        - **input:** node features :math:`(N, D_{in})`, slots, hop-1 edges,
          hop-2 edges
        - **output:** slot outputs :math:`(S, D_{out})`

    Raises:
        ValueError: If there are no modules, their sizes differ or are not
            known, one does not take nodes and edges, or they cannot share as
            :obj:`share_aggregation` demands.
    """

    def __init__(
        self,
        modules: Sequence[MessagePassing],
        num_experts_1hop: int | None = None,
        local: bool | None = None,
        in_channels: int | None = None,
        out_channels: int | None = None,
        share_aggregation: bool | None = None,
    ) -> None:
        modules = list(modules)
        if len(modules) == 0:
            raise ValueError("'modules' must hold at least one module, got []")
        sizes = [
            (
                _size(module, 'in', in_channels),
                _size(module, 'out', out_channels),
            )
            for module in modules
        ]
        if len(set(sizes)) > 1:
            raise ValueError(
                "'modules' must agree in their input and output sizes, got "
                f'{sizes}'
            )
        for module in modules:
            expert_module.check_takes_graph(module, 'modules')
        super().__init__(*sizes[0], len(modules), num_experts_1hop)
        self.experts = nn.ModuleList(modules)
        self.local = local
        check_choice(
            'share_aggregation', share_aggregation, (None, True, False)
        )
        if share_aggregation and (
            local is not None or find_shared(modules) is None
        ):
            kinds = ', '.join(kind.__name__ for kind in SHARED_CONVS)
            raise ValueError(
                "'share_aggregation' must be None or False unless 'local' is "
                f'None and all modules are of one of the classes {kinds} with '
                f'the same settings, got True for {self._kinds()}'
            )
        self.share_aggregation = share_aggregation

    def reset_parameters(self) -> None:
        reset(self.experts)

    def forward(
        self,
        x: Tensor,
        slots: ExpertSlots,
        hop1: Neighborhood | None,
        hop2: Neighborhood | None,
        **kwargs: Any,
    ) -> Tensor:
        self._check_arguments(kwargs, hop1)
        used = list(self.hops(hop1, hop2))
        call = self._shared_call(x, [hop for _, _, hop in used], kwargs)
        if call is not None:
            m, channels = self.num_experts_1hop, self.out_channels
            return self._checked(call.outputs(x, slots, m, channels))
        hops = [hop for _, count, hop in used for _ in range(count)]
        nodes = slots.node.split(slots.ptr.diff().tolist())
        outs = [
            self._forward_expert(x, expert, node, hop, kwargs)
            for expert, node, hop in zip(self.experts, nodes, hops)
        ]
        return torch.cat(outs)

    def _check_arguments(
        self, kwargs: Mapping[str, Any], hop: Neighborhood | None
    ) -> None:
        for name, value in kwargs.items():
            if (
                hop is not None
                and name in _EDGE_ARGUMENTS
                and isinstance(value, Tensor)
                and value.shape[:1] != hop.source.shape
            ):
                raise ValueError(
                    f"'{name}' must have a row for each of the "
                    f'{hop.num_edges} edges, got shape {list(value.shape)}'
                )
            if self.num_experts_2hop > 0:
                raise ValueError(
                    f"'{name}' must be left out where experts look at hop-2 "
                    'edges, which have none, got a value for '
                    f'{self.num_experts_2hop} such experts'
                )
            if not any(expert_module.takes(e, name) for e in self.experts):
                kinds = {type(expert).__name__ for expert in self.experts}
                raise ValueError(
                    f"'{name}' must be left out: none of {sorted(kinds)} "
                    f'takes it, got {type(value).__name__}'
                )

    def _forward_expert(
        self,
        x: Tensor,
        expert: nn.Module,
        node: Tensor,
        hop: Neighborhood,
        kwargs: Mapping[str, Any],
    ) -> Tensor:
        if node.numel() == 0:
            return expert_module.without_rows(expert, x, self.out_channels)
        if self._is_local(expert, hop, kwargs):
            out = _on_subgraph(expert, x, node, hop, kwargs)
        else:
            # What is given by name is ordered as the edges were given.
            edge_index, edge_attr = hop.given_edge_index, hop.edge_attr
            if edge_attr is not None:
                edge_attr = hop.to_given(edge_attr)
            with (
                nullcontext()
                if hop.edge_mask is None
                else use_mask(expert, hop.to_given(hop.edge_mask), edge_index)
            ):
                out = expert_module.call(
                    expert, x, edge_index, edge_attr, kwargs
                )
            out = out.index_select(0, node)
        return self._checked(out)

    def _checked(self, out: Tensor) -> Tensor:
        if out.size(1) != self.out_channels:
            raise ValueError(
                f"'out_channels' must be the size of the modules' output, "
                f'{out.size(1)} for {self._kinds()}, got {self.out_channels}'
            )
        return out

    def _kinds(self) -> str:
        return ', '.join({type(e).__name__: 0 for e in self.experts})

    def _shared_call(
        self, x: Tensor, hops: list[Neighborhood], kwargs: Mapping[str, Any]
    ) -> SharedCall | None:
        # Promises of locality are about convolutions that run by themselves.
        if self.local is not None or self.share_aggregation not in (
            None,
            True,
        ):
            return None
        return SharedCall.of(list(self.experts), x, hops, kwargs)

    def _is_local(
        self, expert: nn.Module, hop: Neighborhood, kwargs: Mapping[str, Any]
    ) -> bool:
        # Explainers look at all messages, in the order of the given edges.
        if hop.edge_mask is not None or not _EDGE_ARGUMENTS.issuperset(kwargs):
            return False
        if getattr(expert, '_message_forward_hooks', None):
            return False
        if self.local is not None:
            return self.local
        # With the other flow, messages arrive at an edge's source.
        flow = getattr(expert, 'flow', None)
        return flow == 'source_to_target' and isinstance(expert, LOCAL_CONVS)

    def __repr__(self) -> str:
        kinds = ', '.join(type(expert).__name__ for expert in self.experts)
        return (
            f'{self.__class__.__name__}([{kinds}], '
            f'num_experts_1hop={self.num_experts_1hop})'
        )


def _on_subgraph(
    expert: nn.Module,
    x: Tensor,
    node: Tensor,
    hop: Neighborhood,
    kwargs: Mapping[str, Any],
) -> Tensor:
    """Computes the outputs of a local convolution at some nodes only."""
    given = {name: hop.from_given(value) for name, value in kwargs.items()}
    if node.numel() == hop.num_nodes:
        out = expert_module.call(
            expert, x, hop.edge_index, hop.edge_attr, given
        )
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
    given = {name: value[edge] for name, value in given.items()}
    out = expert_module.call(expert, x[kept], edge_index, edge_attr, given)
    return out[: node.numel()]


def _size(module: nn.Module, side: str, known: int | None) -> int:
    if known is not None:
        return known
    told: Any = expert_module.channels(module, side)
    if not expert_module.is_size(told):
        raise ValueError(
            f"'modules' must know their {side}put size ('{side}_channels'), "
            f'got {told} from {str(module):.60}; give the bank its '
            f"'{side}_channels' if all nodes have the same, and make a graph "
            'of several kinds of nodes one of one kind (to_homogeneous())'
        )
    return told
