"""OGB's molecule GCN, for many experts at once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gmoe import ops
from gmoe.nn.conv.bank import BankPart, EdgeEncoders, ExpertBank
from gmoe.nn.neighborhood import Neighborhood
from gmoe.routing import ExpertSlots


class GCNExperts(ExpertBank):
    r"""A bank of graph convolutions with edge features, as in the molecule
    examples of the `Open Graph Benchmark <https://arxiv.org/abs/2005.00687>`_
    (GCN: `Kipf and Welling 2017 <https://arxiv.org/abs/1609.02907>`_).

    .. math::
        \mathbf{h}_{io} = \sum_j (d_i d_j)^{-1/2} \, \mathrm{ReLU}
        (\mathbf{W}_o \mathbf{x}_j + \mathbf{b}_o + \mathbf{e}_{ijo}) +
        \frac{1}{d_i} \mathrm{ReLU} (\mathbf{W}_o \mathbf{x}_i + \mathbf{b}_o +
        \mathbf{r}_o)

    with :math:`d` one more than the degree, counted on the edges of the
    expert's hop. A transformed row is computed once for each expert that
    needs it: for its own nodes and their neighbours.

    Args:
        in_channels: Size of each input node's features.
        out_channels: Size of each output node's features.
        num_experts: Number of experts :math:`n`.
        num_experts_1hop: The first :math:`m` experts look at hop-1 edges, the
            others at hop-2 edges. (default: all)
        edge_dims: The numbers of categories of categorical edge features
            (:obj:`BOND_FEATURE_DIMS` for OGB molecules); or the number of
            floating-point edge features; or :obj:`None` for no edge features.

    Shapes:
        - **input:** node features :math:`(N, D_{in})`, slots, hop-1 edges,
          hop-2 edges
        - **output:** slot outputs :math:`(S, D_{out})`
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        num_experts: int,
        num_experts_1hop: int | None = None,
        edge_dims: int | Sequence[int] | None = None,
    ) -> None:
        super().__init__(
            in_channels, out_channels, num_experts, num_experts_1hop
        )
        self.weight = nn.Parameter(
            torch.empty(num_experts, in_channels, out_channels)
        )
        self.bias = nn.Parameter(torch.empty(num_experts, out_channels))
        self.root = nn.Parameter(torch.empty(num_experts, out_channels))
        self.edge_encoders = EdgeEncoders(self, edge_dims, out_channels)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws the parameters as OGB's example does for one expert."""
        bound = 1 / math.sqrt(self.in_channels)
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)
        nn.init.normal_(self.root)
        self.edge_encoders.reset_parameters()

    def forward(
        self,
        x: Tensor,
        slots: ExpertSlots,
        hop1: Neighborhood | None,
        hop2: Neighborhood | None,
    ) -> Tensor:
        parts = self.parts(slots, hop1, hop2)
        return torch.cat([self._forward_part(x, part) for part in parts])

    def _forward_part(self, x: Tensor, part: BankPart) -> Tensor:
        slots, hop = part.slots, part.hop
        node, ptr, row_of = ops.needed_rows(
            slots.node,
            slots.expert,
            hop.source,
            hop.target,
            hop.num_nodes,
            slots.ptr.numel() - 1,
        )
        row = ops.grouped_linear(
            ops.gather_rows(x, node),
            self.weight[part.experts],
            self.bias[part.experts],
            ptr,
        )
        tables, codes = self.edge_encoders(part)
        edge_weight, root_weight = hop.gcn_norm(
            torch.promote_types(x.dtype, torch.float32)
        )
        out = ops.routed_message(
            row,
            slots.node,
            slots.expert,
            hop.ptr,
            hop.source,
            row_of=row_of,
            tables=tables,
            codes=codes,
            edge_weight=edge_weight,
        )
        own = ops.gather_rows(row, row_of[slots.expert, slots.node])
        root = ops.gather_rows(self.root[part.experts], slots.expert)
        root = (own + root).relu()
        scale = root_weight[slots.node].unsqueeze(-1)
        return out + root * scale.to(root.dtype)
