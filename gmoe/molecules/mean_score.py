"""A score of predictions as arrays, as the mean over targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gmoe.molecules.array_table import as_weights, is_missing


def mean_score(
    measure: Callable[..., float], y: Any, guess: Any, sample_weight: Any
) -> float:
    """Returns the mean of a score over targets. Molecules without a
    prediction and missing targets are left out.

    Args:
        measure: The score, of targets and predictions :math:`(N)`, such as
            ``sklearn.metrics.r2_score``.
        y: The targets, :math:`(N)` or :math:`(N, T)`.
        guess: The predictions, of the same shape.
        sample_weight: The weight of each molecule; all are alike without.

    Raises:
        ValueError: If shapes differ, weights are none, or nothing is left.
    """
    target, found = _columns(y), _columns(guess)
    if target.shape != found.shape:
        raise ValueError(
            f"'y' must be of shape {found.shape}, got {target.shape}"
        )
    weights = None
    if sample_weight is not None:
        weights = as_weights(sample_weight, len(found))
    scores = []
    for of_target, of_guess in zip(target.T, found.T):
        both = zip(of_target, of_guess)
        kept = np.array([not any(map(is_missing, row)) for row in both])
        if kept.any():
            weight = None if weights is None else weights[kept]
            parts = of_target[kept].tolist(), of_guess[kept].tolist()
            scores.append(measure(*parts, sample_weight=weight))
    if not scores:
        raise ValueError(
            "'y' must have a value for a molecule that is not refused, got "
            'none'
        )
    return float(np.mean(scores))


def _columns(values: Any) -> np.ndarray:
    array = np.asarray(values, dtype=object)
    return array[:, None] if array.ndim == 1 else array
