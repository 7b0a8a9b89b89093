"""Intervals around predicted values that hold the truth as often as said."""

from __future__ import annotations

import warnings

import numpy as np

from gmoe.common.shown import shown
from gmoe.molecules.uncertainty.conformal import check_level, crepes, exact


class ConformalIntervals:
    r"""Split-conformal intervals for a value (`Lei et al. 2018
    <https://arxiv.org/abs/1604.04173>`_), by crepes.

    The errors of a network on :math:`n` molecules that it was not trained on
    say how wide an interval around the prediction for another one must be:

    .. math::
        \hat{y} \pm q \, \sigma, \quad q = \text{the } \lceil (1 - \alpha)
        (n + 1) \rceil \text{-th smallest of } |y_i - \hat{y}_i| / \sigma_i

    It holds the truth with a probability of at least :math:`1 - \alpha`, and
    of at most :math:`1 / (n + 1)` more, whatever the network is, if the
    molecules are as likely to come in any other order. It is infinite where
    :math:`n + 1 < 1 / \alpha`.

    Plain intervals have :math:`\sigma = 1`. Where members of an ensemble
    differ, :math:`\sigma_i` is their spread for a molecule plus its median
    over the :math:`n` molecules, so that an interval is narrow where they
    agree, and never narrower than half of that of a usual molecule.

    Args:
        prediction: Predicted values.
        target: Known values, NaN where there is none: such molecules do not
            count.
        spread: The standard deviation over members of the ensemble. (default:
            intervals are plain)

    Shapes:
        - **prediction**, **target**, **spread:** :math:`(n)`

    Raises:
        ImportError: If crepes is not installed.
        ValueError: If shapes differ, or a spread is negative.
    """

    def __init__(
        self,
        prediction: np.ndarray,
        target: np.ndarray,
        spread: np.ndarray | None = None,
    ) -> None:
        error = _vector('prediction', prediction) - _vector('target', target)
        known = np.isfinite(error)
        sigma = None
        self._usual = 0.0
        if spread is not None:
            spread = _vector('spread', spread)
            known &= np.isfinite(spread)
            if (spread[known] < 0).any():
                raise ValueError("'spread' must not be negative")
            if known.any():
                self._usual = float(np.median(spread[known]))
        #: Whether intervals depend on the spread.
        self.is_normalized = self._usual > 0
        if spread is not None and self.is_normalized:
            sigma = spread[known] + self._usual
        #: The number of molecules with a known value.
        self.count = int(known.sum())
        self._regressor = crepes().ConformalRegressor()
        self._regressor.fit(error[known], sigma)

    def __call__(
        self,
        prediction: np.ndarray,
        level: float = 0.9,
        spread: np.ndarray | None = None,
    ) -> np.ndarray:
        """Makes the intervals of predictions.

        Args:
            prediction: Predicted values.
            level: The share of intervals that are to hold the truth.
            spread: Their spread, needed where intervals depend on it.

        Shapes:
            - **prediction**, **spread:** :math:`(N)`
            - **output:** :math:`(N, 2)`: lower and upper bounds

        Raises:
            ValueError: If the level is no share, or the spread is missing.
        """
        check_level(level)
        sigma = None
        if self.is_normalized:
            if spread is None:
                raise ValueError(
                    "'spread' must be that of the ensemble, on which these "
                    'intervals depend, got None'
                )
            sigma = _vector('spread', spread) + self._usual
        with warnings.catch_warnings():
            # Infinite intervals say it.
            warnings.simplefilter('ignore', UserWarning)
            return self._regressor.predict_int(
                _vector('prediction', prediction),
                sigmas=sigma,
                confidence=exact(level),
            )


def _vector(name: str, value: np.ndarray) -> np.ndarray:
    vector = np.asarray(value, dtype=np.float64)
    if vector.ndim != 1:
        raise ValueError(
            f"'{name}' must have one dimension, got the shape "
            f'{shown(vector.shape)}'
        )
    return vector
