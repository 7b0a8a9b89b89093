"""How often intervals and sets do hold the truth."""

from __future__ import annotations

import numpy as np


def coverage(intervals: np.ndarray, target: np.ndarray) -> float:
    """The share of intervals that hold the known value.

    Args:
        intervals: Lower and upper bounds, of shape ``[n, 2]``.
        target: Known values, of shape ``[n]``, NaN where there is none.

    Returns:
        The share, NaN without any known value.
    """
    target = np.asarray(target, dtype=np.float64)
    known = np.isfinite(target)
    held = (intervals[:, 0] <= target) & (target <= intervals[:, 1])
    return float(held[known].mean()) if known.any() else float('nan')


def set_coverage(sets: np.ndarray, label: np.ndarray) -> float:
    """The share of sets that hold the known class.

    Args:
        sets: Whether each class is in the set, of shape ``[n, C]``.
        label: Numbers of classes, of shape ``[n]``, NaN or negative where
            they are not known.

    Returns:
        The share, NaN without any known class.
    """
    label = np.asarray(label, dtype=np.float64)
    known = np.flatnonzero(label >= 0)
    held = sets[known, label[known].astype(np.int64)]
    return float(held.mean()) if len(known) else float('nan')
