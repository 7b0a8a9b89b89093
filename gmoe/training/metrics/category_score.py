"""The scores of graphs that have one of several categories each."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_f1_score,
    multiclass_matthews_corrcoef,
)

from gmoe.common.arguments import check_integer
from gmoe.training.metrics.label_scores import label_scores
from gmoe.training.metrics.per_graph import PerGraph, undefined

#: The category of a graph whose category is not known.
UNKNOWN = -1
#: The scores of categories; more is better.
CATEGORY_SCORES = (
    'weighted_f1',
    'accuracy',
    'macro_f1',
    'mcc',
    'rocauc',
    'ap',
)


class CategoryScore(PerGraph):
    """The scores of all graphs of a split that have one category each:
    accuracy, and the F1 score averaged over categories, weighted by their
    number of graphs and unweighted, where a category that is neither there
    nor predicted is left out of the average; Matthews' correlation; and the
    areas under the curves of each category against all others, averaged over
    those that some graphs, but not all, have.

    Graphs of unknown category do not count.

    Args:
        num_classes: The number of categories.

    Shapes:
        - **update:** predictions :math:`(B, C)` (probabilities), categories
          :math:`(B)` with -1 where it is not known, graph ids :math:`(B)`

    Raises:
        ValueError: If there are fewer than two categories.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        check_integer(2, num_classes=num_classes)
        self.num_classes = num_classes

    def update(
        self, prediction: Tensor, target: Tensor, graph_id: Tensor
    ) -> None:
        """Adds a batch."""
        prediction = prediction.detach()
        self._keep(prediction.float(), target.detach(), graph_id)

    def compute(self) -> dict[str, Tensor]:
        """The scores by name; NaN, with a warning, where they are not
        defined.
        """
        probability, target = self._kept()
        known = target != UNKNOWN
        probability, target = probability[known], target[known]
        reason = None
        if not known.any():
            reason = 'no category is known'
        elif not probability.isfinite().all():
            reason = 'a prediction is not finite'
        if reason is not None:
            return dict.fromkeys(CATEGORY_SCORES, undefined(reason))
        arguments = probability.argmax(dim=1), target, self.num_classes
        categories = torch.arange(self.num_classes)
        areas = label_scores(
            ('rocauc', 'ap'),
            probability,
            (target.unsqueeze(1) == categories).double(),
        )
        if areas['ap'].isnan():
            reason = 'rocauc, ap need graphs of two categories'
            undefined(reason, RuntimeWarning)
        return {
            'weighted_f1': multiclass_f1_score(*arguments, average='weighted'),
            'accuracy': multiclass_accuracy(*arguments, average='micro'),
            'macro_f1': multiclass_f1_score(*arguments, average='macro'),
            'mcc': multiclass_matthews_corrcoef(*arguments),
            **areas,
        }
