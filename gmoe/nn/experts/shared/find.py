"""Finds whether experts share their aggregation, and runs them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric import nn as pyg

from gmoe.nn.experts import expert_module
from gmoe.nn.experts.shared.conv import SharedConv
from gmoe.nn.experts.shared.gcn import SharedGCN, SharedSG
from gmoe.nn.experts.shared.gin import SharedGIN
from gmoe.nn.experts.shared.rows import RoutedRows, slot_rows
from gmoe.nn.experts.shared.sage import SharedGraph, SharedSAGE
from gmoe.nn.neighborhood import Neighborhood
from gmoe.routing import ExpertSlots

_SHARED: dict[Any, SharedConv] = {
    pyg.GCNConv: SharedGCN(),
    pyg.GINConv: SharedGIN(),
    pyg.GraphConv: SharedGraph(),
    pyg.SAGEConv: SharedSAGE(),
    pyg.SGConv: SharedSG(),
}

#: Convolutions whose experts share one aggregation per hop, if all of them are
#: of one of these classes and their settings are the same.
SHARED_CONVS = tuple(_SHARED)


def find_shared(experts: Sequence[nn.Module]) -> SharedConv | None:
    """How experts share their aggregation; :obj:`None` if they do not.

    Args:
        experts: The experts.
    """
    kind: Any = type(experts[0])
    conv = _SHARED.get(kind)
    if conv is None or any(type(e) is not kind for e in experts):
        return None
    settings = conv.settings(experts[0])
    if settings is None:
        return None
    same = all(conv.settings(e) == settings for e in experts[1:])
    return conv if same else None


@dataclass(frozen=True)
class SharedCall:
    """A call of experts that share their aggregation.

    Args:
        conv: How they share it.
        experts: The experts.
        hops: The hops in use.
        weights: For each of them the weights of its edges.
    """

    conv: SharedConv
    experts: Sequence[nn.Module]
    hops: Sequence[Neighborhood]
    weights: Sequence[Tensor | None]

    @classmethod
    def of(
        cls,
        experts: Sequence[nn.Module],
        x: Tensor,
        hops: Iterable[Neighborhood],
        kwargs: Mapping[str, Any],
    ) -> SharedCall | None:
        """The call with these arguments; :obj:`None` where each convolution
        must see them for itself.

        Args:
            experts: The experts.
            x: Node features.
            hops: The hops in use.
            kwargs: What else is given by name.

        Raises:
            ValueError: If edge features are not what the convolutions take.
        """
        hops = list(hops)
        if any(hop.edge_mask is not None for hop in hops):
            return None
        given = kwargs.get('edge_weight')
        if not {'edge_weight'}.issuperset(kwargs) or not (
            given is None or isinstance(given, Tensor)
        ):
            return None
        conv = find_shared(experts)
        if conv is None:
            return None
        weights = [_edge_weight(experts[0], hop, kwargs) for hop in hops]
        for weight in weights:
            if weight is not None and (
                weight.dim() != 1 or weight.dtype != x.dtype
            ):
                return None
        return cls(conv, experts, hops, weights)

    def outputs(
        self,
        x: Tensor,
        slots: ExpertSlots,
        num_experts_1hop: int,
        channels: int,
    ) -> Tensor:
        r"""The output of each slot, of shape :math:`(S, D_{out})`.

        Args:
            x: Node features.
            slots: The slots.
            num_experts_1hop: The number of hop-1 experts.
            channels: The size of the outputs :math:`D_{out}`.
        """
        aggregates = [
            self.conv.aggregate(self.experts[0], x, hop, weight)
            for hop, weight in zip(self.hops, self.weights)
        ]
        rows = slot_rows(aggregates, slots, num_experts_1hop)
        return self.conv.outputs(
            RoutedRows(self.experts, rows, x, slots, channels)
        )

    def output_of_all(self, x: Tensor) -> Tensor:
        r"""The output of the first expert at every node, in the first hop, of
        shape :math:`(N, D_{out})`.

        Args:
            x: Node features.
        """
        node = torch.arange(x.size(0), device=x.device)
        slots = ExpertSlots(
            ptr=node.new_tensor([0, x.size(0)]),
            node=node,
            expert=torch.zeros_like(node),
            weight=x.new_ones(1).expand(x.size(0)),
            order=node,
            slots_per_node=1,
        )
        expert: Any = self.experts[0]
        return self.outputs(x, slots, 1, expert.out_channels)


def _edge_weight(
    expert: nn.Module, hop: Neighborhood, kwargs: Mapping[str, Any]
) -> Tensor | None:
    given = dict(kwargs)
    if hop.edge_attr is not None:
        argument = expert_module.edge_argument(expert, hop.edge_attr, given)
        if argument:
            return argument['edge_weight']
    weight = given.get('edge_weight')
    return None if weight is None else hop.from_given(weight)
