"""Graph convolutions with linear messages, for many experts at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from gmoe import ops
from gmoe.common.shown import shown
from gmoe.nn.experts.bank import Hops
from gmoe.nn.experts.gcn import GCNExperts
from gmoe.nn.neighborhood import Neighborhood
from gmoe.routing import ExpertSlots


class LinearGCNExperts(GCNExperts):
    r"""A bank of the graph convolutions of `"Strategies for Pre-training
    Graph Neural Networks" <https://arxiv.org/abs/1905.12265>`_.

    .. math::
        \mathbf{h}_{io} = \sum_j (d_i d_j)^{-1/2} (\mathbf{W}_o \mathbf{x}_j +
        \mathbf{b}_o + \mathbf{e}_{ijo}) + \frac{1}{d_i} (\mathbf{W}_o
        \mathbf{x}_i + \mathbf{b}_o + \mathbf{r}_o)

    with :math:`d` one more than the degree, counted on the edges of the
    expert's hop, and :math:`\mathbf{r}_o` the features of a self-loop.

    All of it is linear in what the experts of a hop share: the weighted sum
    of a node's neighbours, and how often each category occurs on its edges.
    These are made once, whatever the number of experts, and only one linear
    map runs expert by expert, on the routed nodes.

    Args:
        in_channels: Size of each input node's features.
        out_channels: Size of each output node's features.
        num_experts: Number of experts :math:`n`.
        num_experts_1hop: The first :math:`m` experts look at hop-1 edges, the
            others at hop-2 edges. (default: all)
        edge_dims: The numbers of categories of categorical edge features, or
            :obj:`None` for no edge features.

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
        edge_dims: Sequence[int] | None = None,
    ) -> None:
        if isinstance(edge_dims, int):
            raise ValueError(
                "'edge_dims' must be numbers of categories or None for "
                f'experts with linear messages, got {shown(edge_dims)}'
            )
        super().__init__(
            in_channels, out_channels, num_experts, num_experts_1hop, edge_dims
        )

    def compute(self, x: Tensor, slots: ExpertSlots, hops: Hops) -> Tensor:
        rows, maps = [], []
        first = 0
        for num_hops, count, hop in hops:
            experts = slice(first, first + count)
            row, linear = self._hop(x, experts, num_hops, hop)
            rows.append(row)
            maps.append(linear)
            first += count
        # A hop-2 edge has more categories, which hop-1 edges have none of.
        width = max(row.size(1) for row in rows)
        row = torch.cat(
            [functional.pad(r, (0, width - r.size(1))) for r in rows]
        )
        linear = torch.cat(
            [functional.pad(w, (0, 0, 0, width - w.size(1))) for w in maps]
        )
        # The rows of the second hop come after those of the first.
        index = slots.node
        if len(rows) == 2:
            second = slots.expert >= self.num_experts_1hop
            index = index + second.to(index.dtype) * x.size(0)
        row = ops.gather_rows(row.to(x.dtype), index)
        return ops.grouped_linear(row, linear, None, slots.ptr)

    def _hop(
        self, x: Tensor, experts: slice, num_hops: int, hop: Neighborhood
    ) -> tuple[Tensor, Tensor]:
        """What the experts of a hop share of each node, of shape
        :math:`(N, K)`, and their maps of it, :math:`(n, K, D_{out})`."""
        dtype = torch.promote_types(x.dtype, torch.float32)
        weight, root_weight = hop.gcn_norm(dtype)
        if hop.edge_mask is not None:
            weight = weight * hop.edge_mask
        own = functional.pad(x, (0, 1), value=1.0)
        tables, codes = self.edge_encoders(num_hops, hop)
        message = [ops.gather_rows(own, hop.source)]
        for table, code in zip(tables, codes):
            zeros = x.new_zeros(code.size(0), table.size(1))
            message.append(zeros.scatter(1, code.unsqueeze(-1), 1.0))
        total = ops.add_rows(
            torch.cat(message, dim=1) * weight.unsqueeze(-1),
            hop.target,
            hop.num_nodes,
        )
        size = own.size(1)
        sums, counts = total[:, :size], total[:, size:]
        root_weight = root_weight.unsqueeze(-1)
        row = torch.cat([sums + own * root_weight, root_weight, counts], dim=1)
        bias, root = (p[experts].unsqueeze(1) for p in (self.bias, self.root))
        linear = [self.weight[experts], bias, root, *tables]
        return row, torch.cat(linear, dim=1)
