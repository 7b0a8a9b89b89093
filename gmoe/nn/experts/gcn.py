"""OGB's molecule GCN, for many experts at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gmoe import ops
from gmoe.nn.experts.bank import (
    EdgeEncoders,
    ExpertBank,
    Hops,
    draw_linear,
    stacked,
)
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
        self.weight = stacked(num_experts, in_channels, out_channels)
        self.bias = stacked(num_experts, out_channels)
        self.root = stacked(num_experts, out_channels)
        self.edge_encoders = EdgeEncoders(self, edge_dims, out_channels)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws the parameters as OGB's example does for one expert."""
        draw_linear(self.in_channels, self.weight, self.bias)
        nn.init.normal_(self.root)
        self.edge_encoders.reset_parameters()

    def compute(self, x: Tensor, slots: ExpertSlots, hops: Hops) -> Tensor:
        dtype = torch.promote_types(x.dtype, torch.float32)
        message_hops = []
        for part in hops:
            hop = part[-1]
            weight, root_weight = hop.gcn_norm(dtype)
            if hop.edge_mask is not None:
                weight = weight * hop.edge_mask
            message_hop = self.edge_encoders.message_hop
            message_hops.append(message_hop(*part, weight, root_weight))
        return ops.gcn_experts(
            x,
            self.weight,
            self.bias,
            self.root,
            slots.node,
            slots.expert,
            message_hops,
            slots.slots_per_node,
        )
