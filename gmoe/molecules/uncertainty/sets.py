"""Sets of classes that hold the true one as often as said."""

from __future__ import annotations

import numpy as np

from gmoe.molecules.uncertainty.conformal import check_level, crepes, exact
from gmoe.molecules.uncertainty.labelled import labelled


class ConformalSets:
    r"""Sets of classes by conformal prediction for each class (Mondrian:
    `Vovk et al. 2005 <https://doi.org/10.1007/b106715>`_; for molecules,
    `Norinder et al. 2014 <https://doi.org/10.1021/ci5001168>`_), by crepes.

    A class is in the set of a molecule if its probability is not unusually
    low among the :math:`n_c` molecules that are known to be of it. So each
    class, a rare one too, is in the set of a molecule of its own with a
    probability of at least :math:`1 - \alpha`. A class with
    :math:`n_c + 1 < 1 / \alpha` is in all sets. A set may hold all classes,
    where the network cannot tell, or none, where the molecule looks like no
    class.

    Args:
        probability: Predicted probabilities.
        label: The number of the known class, NaN or negative where it is not
            known: such molecules do not count.

    Shapes:
        - **probability:** :math:`(n, C)`
        - **label:** :math:`(n)`

    Raises:
        ImportError: If crepes is not installed.
        ValueError: If shapes do not fit.
    """

    def __init__(self, probability: np.ndarray, label: np.ndarray) -> None:
        probability, label = labelled(probability, label)
        self._scores = [
            1 - probability[label == number, number]
            for number in range(probability.shape[1])
        ]
        #: The number of molecules of each class.
        self.counts = [len(scores) for scores in self._scores]

    def thresholds(self, level: float) -> np.ndarray:
        """The most that one minus the probability of each class may be, if
        the class is in the set.

        Args:
            level: The share of molecules whose class is to be in their set.

        Raises:
            ValueError: If it is no share.
        """
        check_level(level)
        return np.array([_most(scores, level) for scores in self._scores])

    def __call__(
        self, probability: np.ndarray, level: float = 0.9
    ) -> np.ndarray:
        """Makes the sets of predictions.

        Args:
            probability: Predicted probabilities.
            level: The share of molecules whose class is to be in their set.

        Shapes:
            - **probability:** :math:`(N, C)`
            - **output:** :math:`(N, C)`: whether each class is in the set

        Raises:
            ValueError: If the level is no share.
        """
        score = 1 - np.asarray(probability, dtype=np.float64)
        return score <= self.thresholds(level)


def _most(scores: np.ndarray, level: float) -> float:
    # The larger a score, the smaller its p-value. Asked once, as crepes goes
    # through all molecules for each score.
    asked = np.append(np.unique(scores), np.inf)
    classifier = crepes().ConformalClassifier()
    classifier.fit(scores)
    kept = classifier.predict_set(
        asked[:, None], confidence=exact(level), smoothing=False
    )
    return float(max(asked[kept[:, 0] == 1], default=-np.inf))
