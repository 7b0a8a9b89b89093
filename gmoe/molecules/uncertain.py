"""Intervals, sets and probabilities for all targets of a network."""

from __future__ import annotations

import numpy as np

from gmoe.common.arguments import check_choice
from gmoe.datasets.molecules.info import REGRESSION, MoleculeInfo
from gmoe.molecules.calibration_data import CalibrationData, held_out
from gmoe.molecules.predictions import by_class
from gmoe.molecules.uncertainty.intervals import ConformalIntervals
from gmoe.molecules.uncertainty.isotonic import IsotonicCalibration
from gmoe.molecules.uncertainty.sets import ConformalSets
from gmoe.molecules.uncertainty.temperature import TemperatureCalibration

#: Ways to calibrate probabilities; ``'none'`` leaves them as they are.
CALIBRATIONS = ('temperature', 'isotonic', 'none')


class Uncertainty:
    """How sure the predictions of a network or an ensemble are, by its errors
    on molecules that it was not trained on.

    Args:
        info: What is predicted.
        parts: What each member has left.

    Raises:
        ValueError: If their columns are not those of the targets.
    """

    def __init__(
        self, info: MoleculeInfo, parts: list[CalibrationData]
    ) -> None:
        self.info = info
        known = held_out(parts)
        if (
            known.prediction.shape[1] != info.num_outputs
            or known.target.shape[1] != info.num_tasks
        ):
            raise ValueError(
                f'The uncertainty must be of {info.num_outputs} outputs and '
                f'{info.num_tasks} targets, as the network, got '
                f'{known.prediction.shape[1]} and {known.target.shape[1]}'
            )
        #: How many molecules have a known target, by target.
        self.counts = np.isfinite(known.target).sum(axis=0)
        self._known = known
        self._values = by_class(known.prediction, info)
        self._calibrators: dict[str, list] = {}
        self._conformal: list = []

    def _spread(self, number: int) -> np.ndarray | None:
        spread = self._known.spread
        return None if spread is None else spread[:, number]

    def calibrate(self, values: np.ndarray, way: str) -> np.ndarray:
        """Calibrates probabilities.

        Args:
            values: Probabilities, of shape ``[N, T, C]``; values of
                regression stay as they are.
            way: One of :obj:`CALIBRATIONS`.

        Raises:
            ValueError: If the way is unknown.
        """
        check_choice('calibrate', way, CALIBRATIONS)
        if self.info.task_type == REGRESSION or way == 'none':
            return values
        if way not in self._calibrators:
            make = {
                'temperature': TemperatureCalibration,
                'isotonic': IsotonicCalibration,
            }[way]
            self._calibrators[way] = [
                make(self._values[:, i], self._known.target[:, i])
                for i in range(self.info.num_tasks)
            ]
        made = self._calibrators[way]
        parts = [made[i](values[:, i]) for i in range(len(made))]
        return np.stack(parts, axis=1)

    def intervals(
        self, values: np.ndarray, level: float, spread: np.ndarray | None
    ) -> np.ndarray:
        """Makes the intervals of values.

        Args:
            values: Predicted values, of shape ``[N, T]``.
            level: The share of intervals that are to hold the truth.
            spread: The spread over members, of the same shape.

        Returns:
            Bounds, of shape ``[N, T, 2]``.

        Raises:
            ValueError: If the level is no share.
        """
        if not self._conformal:
            self._conformal = [
                ConformalIntervals(
                    self._values[:, i],
                    self._known.target[:, i],
                    self._spread(i),
                )
                for i in range(self.info.num_tasks)
            ]
        parts = [
            fitted(
                values[:, i], level, None if spread is None else spread[:, i]
            )
            for i, fitted in enumerate(self._conformal)
        ]
        return np.stack(parts, axis=1)

    def sets(self, values: np.ndarray, level: float) -> np.ndarray:
        """Makes the sets of classes.

        Args:
            values: Probabilities that are not calibrated, of shape
                ``[N, T, C]``.
            level: The share of molecules whose class is to be in their set.

        Returns:
            Whether each class is in the set, of the same shape.

        Raises:
            ValueError: If the level is no share.
        """
        if not self._conformal:
            self._conformal = [
                ConformalSets(self._values[:, i], self._known.target[:, i])
                for i in range(self.info.num_tasks)
            ]
        parts = [
            fitted(values[:, i], level)
            for i, fitted in enumerate(self._conformal)
        ]
        return np.stack(parts, axis=1)
