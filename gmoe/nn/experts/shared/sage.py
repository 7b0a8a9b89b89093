"""Convolutions of a node's neighbours beside the node itself."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from torch import Tensor
from torch.nn import functional

from gmoe import ops
from gmoe.nn.experts.shared.conv import SharedConv
from gmoe.nn.experts.shared.rows import map_rows
from gmoe.routing import ExpertSlots


class SharedSAGE(SharedConv):
    """Experts of :class:`torch_geometric.nn.SAGEConv` with a sum or a mean,
    and without a projection, which would come before the aggregation.
    """

    linears = ('lin_l', 'lin_r')
    options = ('normalize', 'root_weight')

    def settings(self, expert: Any) -> Hashable:
        return None if expert.project else super().settings(expert)

    def outputs(
        self,
        experts: Sequence[Any],
        rows: Tensor,
        x: Tensor,
        slots: ExpertSlots,
        channels: int,
    ) -> Tensor:
        out = map_rows([e.lin_l for e in experts], rows, slots.ptr)
        if experts[0].root_weight:
            own = ops.gather_rows(x, slots.node)
            out = out + map_rows([e.lin_r for e in experts], own, slots.ptr)
        if experts[0].normalize:
            out = functional.normalize(out, p=2.0, dim=-1)
        return out


class SharedGraph(SharedConv):
    """Experts of :class:`torch_geometric.nn.GraphConv` with a sum or a
    mean.
    """

    linears = ('lin_rel', 'lin_root')

    def outputs(
        self,
        experts: Sequence[Any],
        rows: Tensor,
        x: Tensor,
        slots: ExpertSlots,
        channels: int,
    ) -> Tensor:
        own = ops.gather_rows(x, slots.node)
        return map_rows(
            [e.lin_rel for e in experts], rows, slots.ptr
        ) + map_rows([e.lin_root for e in experts], own, slots.ptr)
