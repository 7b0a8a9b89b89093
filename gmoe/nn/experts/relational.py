"""Convolutions that compose neighbours with relations, for many experts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gmoe import ops
from gmoe.common.arguments import check_choice
from gmoe.nn.conv.relational import RELATION_SIZES, compose
from gmoe.nn.experts.bank import (
    EdgeEncoders,
    ExpertBank,
    Hops,
    draw_linear,
    stacked,
)
from gmoe.nn.neighborhood import Neighborhood
from gmoe.routing import ExpertSlots


class RelationalExperts(ExpertBank):
    r"""A bank of relational graph convolutions, after CompGCN (`Vashishth et
    al. 2020 <https://arxiv.org/abs/1911.03082>`_): a message is made of the
    neighbour's features and of those of the relation that leads to it.

    .. math::
        \mathbf{h}_{io} = \mathbf{W}_o \, \frac{1}{d_i} \sum_j \phi
        (\mathbf{x}_j, \mathbf{r}_{ij}) + \mathbf{R}_o \mathbf{x}_i +
        \mathbf{b}_o

    with :math:`d_i` the number of edges into the node (one if there is none),
    and the relation :math:`\mathbf{r}_{ij}` encoded from the features of the
    edge. The composition :math:`\phi` is

    - ``"mult"``: :math:`\mathbf{x}_j \odot \mathbf{r}_{ij}`,
    - ``"sub"``: :math:`\mathbf{x}_j - \mathbf{r}_{ij}`,
    - ``"gate"``: :math:`\sigma(\mathbf{g}_{ij}) \odot \mathbf{x}_j +
      \mathbf{r}_{ij}`, with gates of their own from the edge.

    Directions are told apart by the features of the edges. The experts of a
    hop share the composition: it is made and averaged once, whatever their
    number, and only the linear maps run expert by expert, on the routed
    nodes.

    Args:
        in_channels: Size of each input node's features.
        out_channels: Size of each output node's features.
        num_experts: Number of experts :math:`n`.
        num_experts_1hop: The first :math:`m` experts look at hop-1 edges, the
            others at hop-2 edges, whose relation is made of the features of
            both of their edges. (default: all)
        edge_dims: The number of floating-point edge features; or the numbers
            of categories of categorical edge features; or :obj:`None` for no
            edge features, with which a message is :math:`\mathbf{x}_j`.
        composition: :obj:`"mult"`, :obj:`"sub"` or :obj:`"gate"`.

    Shapes:
        - **input:** node features :math:`(N, D_{in})`, slots, hop-1 edges,
          hop-2 edges
        - **output:** slot outputs :math:`(S, D_{out})`

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        num_experts: int,
        num_experts_1hop: int | None = None,
        edge_dims: int | Sequence[int] | None = None,
        composition: str = 'mult',
    ) -> None:
        super().__init__(
            in_channels, out_channels, num_experts, num_experts_1hop
        )
        check_choice('composition', composition, RELATION_SIZES)
        self.composition = composition
        self.weight = stacked(num_experts, in_channels, out_channels)
        self.root = stacked(num_experts, in_channels, out_channels)
        self.bias = stacked(num_experts, out_channels)
        size = RELATION_SIZES[composition] * in_channels
        self.edge_encoders = EdgeEncoders(self, edge_dims, size, shared=True)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws the parameters as those of a linear layer."""
        draw_linear(self.in_channels, self.weight, self.root, self.bias)
        self.edge_encoders.reset_parameters()

    def compute(self, x: Tensor, slots: ExpertSlots, hops: Hops) -> Tensor:
        means = [self._mean(x, num_hops, hop) for num_hops, _, hop in hops]
        # The rows of the second hop come after those of the first.
        row = slots.node
        if len(means) == 2:
            second = slots.expert >= self.num_experts_1hop
            row = row + second.to(row.dtype) * x.size(0)
        message = ops.gather_rows(torch.cat(means), row)
        own = ops.gather_rows(x, slots.node)
        return ops.grouped_linear(
            message, self.weight, self.bias, slots.ptr
        ) + ops.grouped_linear(own, self.root, None, slots.ptr)

    def _mean(self, x: Tensor, num_hops: int, hop: Neighborhood) -> Tensor:
        """The mean message into each node."""
        message = ops.gather_rows(x, hop.source)
        terms = [
            ops.gather_rows(table[0], code)
            for table, code in zip(*self.edge_encoders(num_hops, hop))
        ]
        if terms:
            relation = torch.stack(terms).sum(dim=0)
            message = compose(self.composition, message, relation)
        if hop.edge_mask is not None:
            message = message * hop.edge_mask.unsqueeze(-1)
        degree = hop.ptr.diff().clamp(min=1).unsqueeze(-1)
        total = ops.add_rows(message, hop.target, hop.num_nodes)
        return total / degree.to(message.dtype)

    def __repr__(self) -> str:
        return f'{super().__repr__()[:-1]}, composition={self.composition!r})'
