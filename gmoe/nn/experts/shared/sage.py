"""Convolutions of a node's neighbours beside the node itself."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from torch import Tensor
from torch.nn import functional

from gmoe.nn.experts.shared.conv import SharedConv
from gmoe.nn.experts.shared.rows import RoutedRows


class SharedSAGE(SharedConv):
    """Experts of :class:`torch_geometric.nn.SAGEConv` with a sum or a mean,
    and without a projection, which would come before the aggregation.
    """

    linears = ('lin_l', 'lin_r')
    options = ('normalize', 'root_weight')

    def settings(self, expert: Any) -> Hashable:
        return None if expert.project else super().settings(expert)

    def outputs(self, routed: RoutedRows) -> Tensor:
        out = routed.map('lin_l', routed.rows)
        if routed.experts[0].root_weight:
            out = out + routed.map('lin_r', routed.own())
        if routed.experts[0].normalize:
            out = functional.normalize(out, p=2.0, dim=-1)
        return out


class SharedGraph(SharedConv):
    """Experts of :class:`torch_geometric.nn.GraphConv` with a sum or a
    mean.
    """

    linears = ('lin_rel', 'lin_root')

    def outputs(self, routed: RoutedRows) -> Tensor:
        neighbours = routed.map('lin_rel', routed.rows)
        return neighbours + routed.map('lin_root', routed.own())
