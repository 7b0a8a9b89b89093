"""OGB's molecule GIN, for many experts at once."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from gmoe import ops
from gmoe.nn.experts.bank import (
    EdgeEncoders,
    ExpertBank,
    Hops,
    draw_linear,
    stacked,
)
from gmoe.nn.norm import ExpertNorm
from gmoe.routing import ExpertSlots


class GINExperts(ExpertBank):
    r"""A bank of graph isomorphism convolutions with edge features, as in the
    molecule examples of the `Open Graph Benchmark
    <https://arxiv.org/abs/2005.00687>`_ (GIN: `Xu et al. 2019
    <https://arxiv.org/abs/1810.00826>`_).

    .. math::
        \mathbf{h}_{io} = \mathrm{MLP}_o \Big( (1 + \epsilon_o) \mathbf{x}_i +
        \sum_j \mathrm{ReLU} (\mathbf{x}_j + \mathbf{e}_{ijo}) \Big)

    The MLP is a linear map to twice the size, batch normalisation, ReLU and a
    linear map. It sees the routed nodes only.

    Args:
        in_channels: Size of each input node's features.
        out_channels: Size of each output node's features.
        num_experts: Number of experts :math:`n`.
        num_experts_1hop: The first :math:`m` experts look at hop-1 edges, the
            others at hop-2 edges. (default: all)
        edge_dims: The numbers of categories of categorical edge features
            (:obj:`BOND_FEATURE_DIMS` for OGB molecules); or the number of
            floating-point edge features; or :obj:`None` for no edge features.
        norm: The normalisation inside the MLP, :obj:`"batch_norm"` or
            :obj:`"layer_norm"`.

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
        norm: str = 'batch_norm',
    ) -> None:
        super().__init__(
            in_channels, out_channels, num_experts, num_experts_1hop
        )
        hidden = 2 * in_channels
        self.eps = stacked(num_experts)
        self.weight1 = stacked(num_experts, in_channels, hidden)
        self.bias1 = stacked(num_experts, hidden)
        self.norm = ExpertNorm(num_experts, hidden, norm)
        self.weight2 = stacked(num_experts, hidden, out_channels)
        self.bias2 = stacked(num_experts, out_channels)
        self.edge_encoders = EdgeEncoders(self, edge_dims, in_channels)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws the parameters as OGB's example does for one expert."""
        nn.init.zeros_(self.eps)
        draw_linear(self.in_channels, self.weight1, self.bias1)
        draw_linear(2 * self.in_channels, self.weight2, self.bias2)
        self.norm.reset_parameters()
        self.edge_encoders.reset_parameters()

    def compute(self, x: Tensor, slots: ExpertSlots, hops: Hops) -> Tensor:
        message_hops = [
            self.edge_encoders.message_hop(*part, part[-1].edge_mask)
            for part in hops
        ]
        h = ops.routed_message(
            x,
            slots.node,
            slots.expert,
            message_hops,
            self_scale=1 + self.eps,
            slots_per_node=slots.slots_per_node,
        )
        return self._network(h, slots.ptr)

    def _network(self, h: Tensor, ptr: Tensor) -> Tensor:
        norm = self.norm
        if norm.kind != 'batch_norm':
            h = ops.grouped_linear(h, self.weight1, self.bias1, ptr)
            h = norm(h, ptr, relu=True)
            return ops.grouped_linear(h, self.weight2, self.bias2, ptr)
        out, mean, var = ops.expert_mlp(
            h,
            self.weight1,
            self.bias1,
            norm.weight,
            norm.bias,
            norm.running_mean,
            norm.running_var,
            self.weight2,
            self.bias2,
            ptr,
            norm.training,
            norm.eps,
        )
        norm.update(mean, var, ptr)
        return out
