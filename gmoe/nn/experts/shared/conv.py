"""How the experts of a class of convolutions share their aggregation."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import torch
from torch import Tensor
from torch_geometric.nn.aggr import MeanAggregation, SumAggregation

from gmoe import ops
from gmoe.nn.experts.shared.plain import is_plain_conv, is_plain_linear
from gmoe.nn.experts.shared.rows import RoutedRows
from gmoe.nn.neighborhood import Neighborhood


class SharedConv:
    """One class of convolutions of PyG. Has no state: parameters stay those
    of the convolutions, so that files of weights are the same.
    """

    #: The names of its linear maps, where it has them, and of other settings.
    linears: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    aggregations: tuple[Any, ...] = (SumAggregation, MeanAggregation)

    def settings(self, expert: Any) -> Hashable:
        """What experts that share must agree in; :obj:`None` if this one does
        something of its own.

        Args:
            expert: A convolution of the class.
        """
        if not is_plain_conv(expert):
            return None
        if type(expert.aggr_module) not in self.aggregations:
            return None
        found = [type(expert.aggr_module), expert.flow]
        found += [getattr(expert, name) for name in self.options]
        for name in self.linears:
            linear = getattr(expert, name, None)
            if linear is not None and not is_plain_linear(linear):
                return None
            found.append(linear is None)
            if linear is None:
                continue
            weight = linear.weight
            found += [weight.shape, weight.dtype, weight.device]
            found.append(linear.bias is None)
        return tuple(found)

    def aggregate(
        self, expert: Any, x: Tensor, hop: Neighborhood, weight: Tensor | None
    ) -> Tensor:
        r"""What all experts of a hop have in common, for all nodes.

        Args:
            expert: One of them.
            x: Node features of shape :math:`(N, D_{in})`.
            hop: The edges.
            weight: The weight of each edge, in the order of these.

        Returns:
            Rows of shape :math:`(N, D_{in})`.
        """
        adjacency, order = adjacency_of(hop, expert.flow)
        if weight is not None and order is not None:
            weight = weight[order]
        out = ops.neighbor_sum(x, adjacency, weight)
        if isinstance(expert.aggr_module, MeanAggregation):
            degree = adjacency.ptr.diff().clamp(min=1).unsqueeze(-1)
            out = out / degree.to(out.dtype)
        return out

    def outputs(self, routed: RoutedRows) -> Tensor:
        r"""Transforms the rows of each expert.

        Args:
            routed: What :meth:`aggregate` gives, for each slot.

        Returns:
            Outputs of shape :math:`(S, D_{out})`.
        """
        raise NotImplementedError


def adjacency_of(
    hop: Neighborhood, flow: str, loops: bool = True
) -> tuple[ops.Adjacency, Tensor | None]:
    """Edges as messages flow, and where each of them is among those of the
    hop, without its loops if these are left out; :obj:`None` if in this order.

    Args:
        hop: The edges.
        flow: ``'source_to_target'`` or ``'target_to_source'``.
        loops: Whether edges from a node to itself are kept.
    """

    def compute() -> ops.Adjacency:
        if loops:
            return ops.Adjacency(hop.ptr, hop.source, hop.target)
        keep = hop.source != hop.target
        if not torch.compiler.is_compiling() and bool(keep.all()):
            return adjacency_of(hop, 'source_to_target')[0]
        return ops.Adjacency.from_sorted(
            hop.source[keep], hop.target[keep], hop.num_nodes
        )

    adjacency = hop.memo(('adjacency', loops), compute)
    if flow == 'source_to_target':
        return adjacency, None
    return adjacency.transposed()
