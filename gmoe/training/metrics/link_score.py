"""The scores of links among pairs of nodes that are none."""

from __future__ import annotations

import torch
from torch import Tensor

from gmoe.common.arguments import check_choice, check_integer
from gmoe.training.metrics.label_scores import label_scores
from gmoe.training.metrics.per_graph import PerGraph, undefined

_HITS = {f'hits@{count}': count for count in (20, 50, 100)}
#: Their names; more is better.
LINK_SCORES = ('rocauc', 'ap', *_HITS)


def hits_at(links: Tensor, others: Tensor, count: int) -> Tensor:
    r"""The share of links that score higher than all but fewer than
    :math:`K` pairs that are none, as `OGB
    <https://arxiv.org/abs/2005.00687>`_ has it; 1 where there are fewer than
    :math:`K` of those.

    Args:
        links: The scores of links.
        others: The scores of pairs that are none.
        count: :math:`K`.

    Raises:
        ValueError: If it is not positive.
    """
    check_integer(1, count=count)
    if others.numel() < count:
        return torch.ones((), dtype=torch.float64)
    bound = others.topk(count).values[-1]
    return (links > bound).double().mean()


class LinkScore(PerGraph):
    """The scores of all pairs of a split: Hits@K, which has the names of
    OGB's metrics, and the areas under the curves.

    Args:
        metric: The score that selects, one of :obj:`LINK_SCORES`.

    Shapes:
        - **update:** probabilities :math:`(B, 1)`, whether they are links
          :math:`(B, 1)` with NaN where it is not known, numbers of the pairs
          :math:`(B)`

    Raises:
        ValueError: If the metric is unknown.
    """

    def __init__(self, metric: str) -> None:
        super().__init__()
        check_choice('metric', metric, LINK_SCORES)
        self.metric = metric

    def update(
        self, prediction: Tensor, target: Tensor, graph_id: Tensor
    ) -> None:
        """Adds a batch."""
        self._keep(prediction.detach(), target.detach(), graph_id)

    def compute(self) -> dict[str, Tensor]:
        """The scores by name, first the one that selects; NaN, with a
        warning, where they are not defined.
        """
        names = [self.metric, *(n for n in LINK_SCORES if n != self.metric)]
        prediction, target = self._kept()
        links, others = prediction[target == 1], prediction[target == 0]
        reason = None
        if links.numel() == 0 or others.numel() == 0:
            reason = 'there must be links, and pairs that are none'
        elif not (links.isfinite().all() and others.isfinite().all()):
            reason = 'a prediction is not finite'
        if reason is not None:
            return dict.fromkeys(names, undefined(reason))
        scores = label_scores(('rocauc', 'ap'), prediction, target)
        scores |= {
            name: hits_at(links, others, k) for name, k in _HITS.items()
        }
        return {name: scores[name] for name in names}
