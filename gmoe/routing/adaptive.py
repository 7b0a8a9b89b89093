"""Selections in which each node has its own number of experts."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gmoe.common.arguments import check_integer, check_number
from gmoe.common.shown import shown
from gmoe.routing.select import Selection


class TopP(Selection):
    r"""The fewest experts whose probabilities sum to :math:`p` or more, as in
    `"Harder Tasks Need More Experts: Dynamic Routing in MoE Models"
    <https://arxiv.org/abs/2403.07652>`_.

    .. math::
        \mathbf{P}_i = \mathrm{softmax}(\mathbf{Q}_i), \qquad
        t_i = \min \Big\{ t : \sum_{j \le t} P_{i \sigma_j} \ge p \Big\},
        \qquad
        G_{io} = P_{io} \text{ if } o \in \{ \sigma_1, \ldots, \sigma_{t_i} \}
        \text{ else } 0

    with the experts :math:`\sigma_1, \sigma_2, \ldots` from the most to the
    least probable, the lower id first where they are equal. A node has one
    expert at least. The weights sum to :math:`p` or more, and depend on the
    scores of all experts, so that those which were not chosen learn too.

    Flat probabilities cost many experts. The paper adds
    :func:`~gmoe.routing.entropy_loss`, with a small factor, against them.

    Args:
        p: The probability :math:`p` that is to be reached.
        renormalize: Whether the weights of the chosen experts are divided by
            their sum, which the paper does not do.

    Raises:
        ValueError: If :obj:`p` is not in (0, 1].
    """

    def __init__(self, p: float, renormalize: bool = False) -> None:
        super().__init__()
        check_number(0, inclusive=False, p=p)
        if p > 1:
            raise ValueError(f"'p' must be a number in (0, 1], got {shown(p)}")
        self.p = float(p)
        self.renormalize = renormalize

    def choose(self, logits: Tensor, batch: Tensor | None) -> Tensor:
        probability = torch.softmax(logits.detach(), dim=1)
        ranked, order = probability.sort(dim=1, descending=True, stable=True)
        # What is reached before an expert; zero before the first one.
        before = ranked.cumsum(dim=1).roll(1, dims=1)
        before[:, :1] = 0
        return torch.zeros_like(before, dtype=torch.bool).scatter(
            1, order, before < self.p
        )

    def weigh(self, logits: Tensor, chosen: Tensor) -> Tensor:
        if self.renormalize:
            logits = logits.masked_fill(~chosen, float('-inf'))
        return torch.softmax(logits, dim=1)

    def extra_repr(self) -> str:
        return f'p={self.p}, renormalize={self.renormalize}'


class TopAny(Selection):
    r"""The experts whose score exceeds a threshold that is learned, one per
    expert: the top-any gating of `"Dynamic Mixture of Experts: An Auto-Tuning
    Approach for Efficient Transformer Models"
    <https://arxiv.org/abs/2405.14297>`_.

    .. math::
        \mathcal{T}_i = \{ o : \sigma(Q_{io}) \ge \sigma(\theta_o) \}, \qquad
        G_{io} = \frac{1}{|\mathcal{T}_i|} \text{ if } o \in \mathcal{T}_i
        \text{ else } 0

    A node that reaches no threshold gets the expert with the largest score.
    The weights do not depend on the scores; their gradient is
    straight-through: that of :math:`(\sigma(Q_{io}) - \sigma(\theta_o)) /
    |\mathcal{T}_i|` for the chosen experts, and none for the others.

    The paper's scores are cosine similarities: ``score='cosine'``. Equality is
    enough here, where the paper asks for more, so that with scores that start
    at zero every node starts with all experts. Its loss for diverse experts
    and the change of their number in training are left out.

    Args:
        num_experts: Number of experts :math:`n`.

    Raises:
        ValueError: If :obj:`num_experts` is below 1.
    """

    def __init__(self, num_experts: int) -> None:
        super().__init__()
        check_integer(1, num_experts=num_experts)
        self.threshold = nn.Parameter(torch.empty(num_experts))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Sets the thresholds to zero, a probability of one half."""
        nn.init.zeros_(self.threshold)

    def choose(self, logits: Tensor, batch: Tensor | None) -> Tensor:
        above = logits >= self.threshold.to(logits.dtype)
        # The best one, for nodes without any; argmax takes the lowest id.
        best = torch.zeros_like(above)
        best.scatter_(1, logits.argmax(dim=1, keepdim=True), True)
        return torch.where(above.any(dim=1, keepdim=True), above, best)

    def weigh(self, logits: Tensor, chosen: Tensor) -> Tensor:
        threshold = self.threshold.to(logits.dtype)
        margin = logits.sigmoid() - threshold.sigmoid()
        straight = 1 + (margin - margin.detach())
        return straight / chosen.sum(dim=1, keepdim=True).clamp(min=1)

    def extra_repr(self) -> str:
        return f'num_experts={self.threshold.numel()}'
