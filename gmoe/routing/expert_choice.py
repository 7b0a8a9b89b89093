"""Experts choose their nodes."""

from __future__ import annotations

import torch
from torch import Tensor

from gmoe.common.arguments import check_choice, check_number
from gmoe.routing.select import Selection


class ExpertChoice(Selection):
    r"""Each expert takes the nodes with the largest scores for it, the same
    number for each expert: `"Mixture-of-Experts with Expert Choice Routing"
    <https://arxiv.org/abs/2202.09368>`_.

    .. math::
        \mathbf{P}_i = \mathrm{softmax}(\mathbf{Q}_i), \qquad
        \mathcal{N}_o = \mathrm{TopC}_i(P_{io}), \qquad
        G_{io} = P_{io} \text{ if } i \in \mathcal{N}_o \text{ else } 0,
        \qquad C = \Big\lceil \frac{c N}{n} \Big\rceil

    with the number :math:`N` of nodes of a graph and the capacity factor
    :math:`c`, which is the mean number of experts per node. An expert takes
    one node at least and all at most, of equal ones the first. Loads are
    equal by construction, and no balance loss is needed.

    A node that no expert takes has no slot, and the output of a
    :class:`~gmoe.nn.GMoEConv` is zero there. So a residual connection or
    shared experts should go with it. Scores that start at zero let all
    experts take the same nodes, which is why a router adds noise by default.

    Args:
        capacity_factor: The mean number :math:`c` of experts per node; the
            paper uses 2.
        scope: :obj:`"graph"` chooses among the nodes of each graph, so that
            predictions do not depend on what else is in a batch; the router
            must be given the graph of each node. :obj:`"batch"` chooses among
            all nodes, as the paper does, and predictions of a graph then
            depend on the others.

    Raises:
        ValueError: If an argument is out of range.
    """

    noisy = True

    def __init__(
        self, capacity_factor: float = 2.0, scope: str = 'graph'
    ) -> None:
        super().__init__()
        check_number(0, inclusive=False, capacity_factor=capacity_factor)
        check_choice('scope', scope, ('graph', 'batch'))
        self.capacity_factor = float(capacity_factor)
        self.scope = scope
        self.needs_batch = scope == 'graph'

    def choose(self, logits: Tensor, batch: Tensor | None) -> Tensor:
        num_nodes, num_experts = logits.shape
        probability = torch.softmax(logits.detach(), dim=1)
        order = probability.argsort(dim=0, descending=True, stable=True)
        if batch is None or self.scope == 'batch':
            batch = torch.zeros_like(order[:, 0])
        # By graph, and inside of it from the largest to the smallest.
        graph = batch[order]
        order = order.gather(0, graph.argsort(dim=0, stable=True))
        _, index, size = batch.unique(return_inverse=True, return_counts=True)
        rank = torch.arange(num_nodes, device=batch.device)
        rank = rank - (size.cumsum(0) - size)[index.sort().values]
        place = torch.empty_like(order)
        place.scatter_(0, order, rank.unsqueeze(1).expand_as(order))
        # A share that is whole but for rounding stays what it is.
        share = self.capacity_factor * size.double() / num_experts
        capacity = (share - 1e-9).ceil().long().clamp(min=1)
        return place < capacity[index].unsqueeze(1)

    def weigh(self, logits: Tensor, chosen: Tensor) -> Tensor:
        return torch.softmax(logits, dim=1)

    def extra_repr(self) -> str:
        return f'capacity_factor={self.capacity_factor}, scope={self.scope!r}'
