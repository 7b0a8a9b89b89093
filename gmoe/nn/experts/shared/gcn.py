"""Convolutions with the normalisation of GCN."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import torch
from torch import Tensor
from torch_geometric.nn.aggr import SumAggregation
from torch_geometric.nn.conv.gcn_conv import gcn_norm

from gmoe import ops
from gmoe.nn.experts.shared.conv import SharedConv, adjacency_of
from gmoe.nn.experts.shared.rows import RoutedRows
from gmoe.nn.neighborhood import Neighborhood


class SharedGCN(SharedConv):
    r"""Experts of :class:`torch_geometric.nn.GCNConv`:

    .. math::
        \mathbf{h}_{io} = \mathbf{W}_o \, (\mathbf{D}^{-1/2} \mathbf{A}
        \mathbf{D}^{-1/2} \mathbf{X})_i + \mathbf{b}_o

    which by linearity is what it computes from :math:`\mathbf{X}
    \mathbf{W}_o`.
    """

    linears = ('lin',)
    options = ('improved', 'add_self_loops', 'normalize')
    # A mean would count the loops that are added.
    aggregations = (SumAggregation,)

    def settings(self, expert: Any) -> Hashable:
        # What is cached is each expert's own.
        found = super().settings(expert)
        if found is None or expert.cached:
            return None
        return found, expert.bias is None

    def aggregate(
        self, expert: Any, x: Tensor, hop: Neighborhood, weight: Tensor | None
    ) -> Tensor:
        if not expert.normalize:
            return super().aggregate(expert, x, hop, weight)
        return normalized_sum(expert, x, hop, weight, expert.improved)

    def outputs(self, routed: RoutedRows) -> Tensor:
        out = routed.map('lin', routed.rows)
        if routed.experts[0].bias is None:
            return out
        return out + routed.parameter('bias')


class SharedSG(SharedConv):
    r"""Experts of :class:`torch_geometric.nn.SGConv`, which aggregates
    :math:`K` times before it transforms.
    """

    linears = ('lin',)
    options = ('add_self_loops', 'K')
    aggregations = (SumAggregation,)

    def settings(self, expert: Any) -> Hashable:
        return None if expert.cached else super().settings(expert)

    def aggregate(
        self, expert: Any, x: Tensor, hop: Neighborhood, weight: Tensor | None
    ) -> Tensor:
        for _ in range(expert.K):
            x = normalized_sum(expert, x, hop, weight)
        return x

    def outputs(self, routed: RoutedRows) -> Tensor:
        return routed.map('lin', routed.rows)


def normalized_sum(
    expert: Any,
    x: Tensor,
    hop: Neighborhood,
    weight: Tensor | None,
    improved: bool = False,
) -> Tensor:
    """The sum over neighbours with the weights of
    :func:`torch_geometric.nn.conv.gcn_conv.gcn_norm`.

    Args:
        expert: A convolution, for its :obj:`flow` and :obj:`add_self_loops`.
        x: Node features.
        hop: The edges.
        weight: The weight of each edge, in the order of these.
        improved: Whether a loop that is added to weighted edges counts twice.
    """
    dtype = torch.promote_types(x.dtype, torch.float32)
    flow, adds_loops = expert.flow, expert.add_self_loops

    def compute() -> Tensor:
        return gcn_norm(
            *(hop.edge_index, weight, hop.num_nodes),
            *(improved, adds_loops, flow, dtype),
        )[1]

    if weight is None:
        key = 'gcn_norm', dtype, improved, adds_loops, flow
        value = hop.memo(key, compute)
    else:
        value = compute()
    adjacency, order = adjacency_of(hop, flow, loops=not adds_loops)
    # The loop of each node comes after all other edges.
    value, loop = value.split(
        [adjacency.sender.size(0), value.size(0) - adjacency.sender.size(0)]
    )
    if order is not None:
        value = value[order]
    out = ops.neighbor_sum(x, adjacency, value)
    return out + loop.unsqueeze(-1).to(x.dtype) * x if adds_loops else out
