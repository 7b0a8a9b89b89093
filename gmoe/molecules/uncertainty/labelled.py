"""Predicted probabilities of molecules whose class is known."""

from __future__ import annotations

import numpy as np

#: With fewer molecules, or of one class, nothing is learned of probabilities.
LEAST = 10


def labelled(
    probability: np.ndarray, label: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Leaves out molecules whose class is not known, or whose prediction is
    not finite.

    Args:
        probability: Probabilities, of shape ``[n, C]``.
        label: Numbers of classes, of shape ``[n]``, NaN or negative where
            they are not known.

    Returns:
        The others' probabilities, in float64, and classes, as integers.

    Raises:
        ValueError: If shapes do not fit, or there is no such class.
    """
    probability = np.asarray(probability, dtype=np.float64)
    label = np.asarray(label, dtype=np.float64)
    if probability.ndim != 2 or label.shape != probability.shape[:1]:
        raise ValueError(
            "'probability' must be of shape [molecules, classes] and 'label' "
            f'of shape [molecules], got {probability.shape} and {label.shape}'
        )
    known = (label >= 0) & np.isfinite(probability).all(axis=1)
    probability, numbers = probability[known], label[known].astype(np.int64)
    if (numbers >= probability.shape[1]).any():
        raise ValueError(
            f"'label' must be below the number of classes, "
            f'{probability.shape[1]}, got {numbers.max()}'
        )
    return probability, numbers


def are_enough(label: np.ndarray) -> bool:
    """Whether there are molecules enough, of more than one class, to learn
    something of probabilities.

    Args:
        label: Numbers of classes, as :func:`labelled` returns them.
    """
    return len(label) >= LEAST and len(np.unique(label)) > 1
