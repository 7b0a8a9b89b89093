"""Scores of values and of two classes, averaged over tasks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics.functional import classification, regression

#: Whether more is better, by the names of the scores.
VALUE_MODES = {'rmse': 'min', 'mae': 'min', 'r2': 'max', 'spearman': 'max'}
CLASS_MODES = dict.fromkeys(('rocauc', 'ap', 'f1', 'mcc', 'accuracy'), 'max')
#: The least probability that counts as class 1.
THRESHOLD = 0.5


def label_scores(
    names: Sequence[str], prediction: Tensor, target: Tensor
) -> dict[str, Tensor]:
    """Scores each task over its labelled graphs, and averages over those
    tasks where the score is defined; NaN where there is none.

    - ``rmse``, ``mae``: the root of the mean squared, and the mean absolute
      error. They need a label.
    - ``r2``: the share of the variance that is explained; it needs two
      labels that differ. ``spearman``: the correlation of ranks; it needs
      two predictions that differ, too.
    - ``rocauc``, ``ap``: the areas under the curve of true over false
      positives and under that of precision over recall. They need labels of
      both classes, as those of OGB do, and so does ``mcc``, Matthews'
      correlation.
    - ``f1``: the harmonic mean of precision and recall of class 1, of which
      it needs a label; ``accuracy`` needs any label.

    Args:
        names: The scores, all of values or all of classes.
        prediction: Values, or probabilities of class 1, of shape
            ``[num_graphs, num_tasks]``.
        target: Values or classes, of the same shape, NaN where there is none.
    """
    of_tasks: dict[str, list[Tensor]] = {name: [] for name in names}
    for p, y in zip(prediction.double().unbind(1), target.double().unbind(1)):
        labelled = ~y.isnan()
        p, y = p[labelled], y[labelled]
        for name in names:
            if _is_defined(name, p, y):
                of_tasks[name].append(_score(name, p, y).double())
    nan = torch.tensor(torch.nan, dtype=torch.float64)
    return {
        name: torch.stack(scores).mean() if scores else nan
        for name, scores in of_tasks.items()
    }


def _is_defined(name: str, p: Tensor, y: Tensor) -> bool:
    if len(y) == 0:
        return False
    if name in ('rocauc', 'ap', 'mcc', 'r2', 'spearman') and _is_constant(y):
        return False
    if name == 'spearman':
        return not _is_constant(p)
    return name != 'f1' or bool((y == 1).any())


def _is_constant(values: Tensor) -> bool:
    return bool((values == values[0]).all())


def _score(name: str, p: Tensor, y: Tensor) -> Tensor:
    if name == 'rmse':
        return regression.mean_squared_error(p, y, squared=False)
    if name == 'mae':
        return regression.mean_absolute_error(p, y)
    if name == 'r2':
        return regression.r2_score(p, y)
    if name == 'spearman':
        return regression.spearman_corrcoef(p, y)
    label = y.long()
    if name == 'rocauc':
        return classification.binary_auroc(p, label, validate_args=False)
    if name == 'ap':
        return classification.binary_average_precision(
            p, label, validate_args=False
        )
    # As for probabilities; what is one, torchmetrics would guess.
    decided = (p > THRESHOLD).long()
    if name == 'f1':
        return classification.binary_f1_score(
            decided, label, validate_args=False
        )
    if name == 'mcc':
        return classification.binary_matthews_corrcoef(
            decided, label, validate_args=False
        )
    return classification.binary_accuracy(decided, label, validate_args=False)
