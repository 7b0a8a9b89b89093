"""Graph isomorphism convolutions without edge features."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from torch import Tensor, nn

from gmoe.nn.experts.shared.conv import SharedConv
from gmoe.nn.experts.shared.networks import run_networks
from gmoe.nn.experts.shared.rows import RoutedRows


class SharedGIN(SharedConv):
    r"""Experts of :class:`torch_geometric.nn.GINConv`:

    .. math::
        \mathbf{h}_{io} = \mathrm{network}_o \Big( (1 + \epsilon_o)
        \mathbf{x}_i + \sum_j \mathbf{x}_j \Big)

    Each network sees the rows of its routed nodes alone. One that normalises
    over rows does so over these.
    """

    def settings(self, expert: Any) -> Hashable:
        if not isinstance(expert.nn, nn.Module):
            return None
        return super().settings(expert)

    def outputs(self, routed: RoutedRows) -> Tensor:
        rows = routed.rows + routed.own() * (1 + routed.parameter('eps'))
        return run_networks(
            [expert.nn for expert in routed.experts],
            *(rows, routed.slots.ptr, routed.channels),
        )
