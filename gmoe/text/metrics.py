"""Scores of predicted categories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gmoe.common.require import require

#: The scores, by name.
SCORES = ('accuracy', 'weighted_f1', 'macro_f1')


def classification_scores(
    target: Sequence[Any], predicted: Sequence[Any]
) -> dict[str, float]:
    """Accuracy, and the F1 score averaged over the categories: weighted by
    their number of texts, and unweighted.

    The average is over the categories that occur in :obj:`target` or
    :obj:`predicted`; one that occurs in the latter only has an F1 of zero.

    Args:
        target: The categories, as names or as numbers.
        predicted: The categories predicted.

    Raises:
        ValueError: If there are no categories, or their numbers differ.
    """
    if len(target) == 0 or len(target) != len(predicted):
        raise ValueError(
            "'target' and 'predicted' must hold the same number of "
            f'categories, at least one, got {len(target)} and '
            f'{len(predicted)}'
        )
    metrics = require('sklearn.metrics')
    scores = {'accuracy': metrics.accuracy_score(target, predicted)}
    for average in ('weighted', 'macro'):
        scores[f'{average}_f1'] = metrics.f1_score(
            target, predicted, average=average, zero_division=0
        )
    return {name: float(value) for name, value in scores.items()}
