"""What networks have put out, as predictions."""

from __future__ import annotations

import numpy as np

from gmoe.datasets.molecules.info import BINARY, MoleculeInfo
from gmoe.molecules.calibration_data import mean_and_spread
from gmoe.molecules.featurized import Featurized
from gmoe.molecules.predictions import Predictions, by_class
from gmoe.molecules.uncertain import Uncertainty

NOT_FINITE = 'the prediction is not finite'


def from_outputs(
    outputs: np.ndarray,
    made: Featurized,
    info: MoleculeInfo,
    uncertainty: Uncertainty | None,
    level: float | None,
    calibrate: str,
) -> Predictions:
    """Makes predictions for some molecules, which have gaps where one was
    refused.

    Args:
        outputs: What each network has put out for each molecule that was not
            refused, of shape :math:`(M, N, O)`.
        made: The molecules.
        info: What is predicted.
        uncertainty: How sure it is, if that is known.
        level: The share of intervals and sets that are to hold the truth.
        calibrate: How probabilities are calibrated.
    """
    kept, count = made.kept, len(made.reasons)
    mean, deviation = mean_and_spread(outputs)
    spread = deviation if len(outputs) > 1 else None
    values = by_class(mean, info)
    predictions = Predictions(
        info, _with_gaps(values, kept, count), list(made.reasons)
    )
    if spread is not None:
        wide = by_class(spread, info)
        if info.task_type == BINARY:
            wide[..., 0] = spread  # That of both is the same.
        predictions.spread = _with_gaps(wide, kept, count)
    if made.similarity is not None:
        predictions.similarity = _with_gaps(made.similarity, kept, count)
    if uncertainty is not None and info.classes is not None:
        calibrated = uncertainty.calibrate(values, calibrate)
        predictions.values = _with_gaps(calibrated, kept, count)
    if uncertainty is not None and level is not None:
        predictions.level = level
        if info.classes is None:
            bounds = uncertainty.intervals(values, level, spread)
            predictions.intervals = _with_gaps(bounds, kept, count)
        else:
            sets = np.zeros((count, *values.shape[1:]), dtype=bool)
            sets[kept] = uncertainty.sets(values, level)
            predictions.sets = sets
    for i in kept[~np.isfinite(mean).all(axis=1)]:
        predictions.reasons[i] = NOT_FINITE
    return predictions


def _with_gaps(values: np.ndarray, kept: np.ndarray, count: int) -> np.ndarray:
    out = np.full((count, *values.shape[1:]), np.nan)
    out[kept] = values
    return out
