"""Probabilities that are mapped to the frequencies that were seen."""

from __future__ import annotations

import numpy as np

from gmoe.common.require import require
from gmoe.molecules.uncertainty.labelled import are_enough, labelled


class IsotonicCalibration:
    """Maps probabilities by the rising steps that fit best (`Zadrozny and
    Elkan 2002 <https://doi.org/10.1145/775047.775151>`_), by scikit-learn.

    It can put right any rising curve, but needs some hundreds of molecules,
    and makes some predictions equal. Of more than two classes, each is mapped
    against the others, and a molecule's probabilities are then divided by
    their sum.

    Args:
        probability: Predicted probabilities.
        label: The number of the known class, NaN or negative where it is not
            known: such molecules do not count.

    Shapes:
        - **probability:** :math:`(n, C)`
        - **label:** :math:`(n)`

    Raises:
        ImportError: If scikit-learn is not installed.
        ValueError: If shapes do not fit.
    """

    def __init__(self, probability: np.ndarray, label: np.ndarray) -> None:
        probability, label = labelled(probability, label)
        #: Whether there were molecules enough, of more than one class.
        self.is_fitted = are_enough(label)
        regression = require('sklearn.isotonic', 'mol').IsotonicRegression
        self._curves = {
            number: regression(y_min=0, y_max=1, out_of_bounds='clip').fit(
                probability[:, number], label == number
            )
            for number in _mapped(probability.shape[1])
            if self.is_fitted
        }

    def __call__(self, probability: np.ndarray) -> np.ndarray:
        """Calibrates probabilities.

        Args:
            probability: Predicted probabilities.

        Shapes:
            - **probability**, **output:** :math:`(N, C)`
        """
        out = np.array(probability, dtype=np.float64)
        if not self._curves or not len(out):
            return out
        finite = np.isfinite(out).all(axis=1)
        for number, curve in self._curves.items():
            if finite.any():
                out[finite, number] = curve.predict(out[finite, number])
        if out.shape[1] == 2:
            out[:, 0] = 1 - out[:, 1]
            return out
        total = out.sum(axis=1, keepdims=True)
        # Where no class has any, all are as likely.
        even = np.full_like(out, 1 / out.shape[1])
        return np.where(total == 0, even, out / np.where(total == 0, 1, total))


def _mapped(num_classes: int) -> list[int]:
    # Of two classes, the second one: the first is the rest.
    return [1] if num_classes == 2 else list(range(num_classes))
