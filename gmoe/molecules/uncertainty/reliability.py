"""Whether what is predicted with 80 % happens in 80 % of the cases."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torchmetrics.functional.classification import binary_calibration_error

from gmoe.common.arguments import check_integer
from gmoe.common.files import replacing


def calibration_error(
    probability: np.ndarray, outcome: np.ndarray, num_bins: int = 10
) -> float:
    r"""The expected calibration error (`Naeini et al. 2015
    <https://doi.org/10.1609/aaai.v29i1.9602>`_), by torchmetrics: over bins of
    equal width, :math:`\sum_b \frac{n_b}{n} |\bar{p}_b - \bar{y}_b|`.

    Args:
        probability: The predicted probability of an event, such as that a
            molecule is of the second class; or that of the likeliest class.
        outcome: Whether it happened: 1 or 0, NaN where that is not known.
        num_bins: The number of bins.

    Shapes:
        - **probability**, **outcome:** :math:`(n)`

    Returns:
        The error from 0 to 1, NaN without any outcome.

    Raises:
        ValueError: If the number of bins is not positive.
    """
    check_integer(1, num_bins=num_bins)
    probability, outcome = _known(probability, outcome)
    if not len(outcome):
        return float('nan')
    return float(
        binary_calibration_error(
            torch.tensor(probability),
            torch.tensor(outcome, dtype=torch.long),
            n_bins=num_bins,
        )
    )


def reliability(
    probability: np.ndarray, outcome: np.ndarray, num_bins: int = 10
) -> dict[str, np.ndarray]:
    """The points of a reliability diagram: of each bin that is not empty,
    the mean ``predicted`` probability, the ``observed`` frequency and the
    ``count``. The arguments are those of :func:`calibration_error`."""
    probability, outcome = _known(probability, outcome)
    place = np.minimum((probability * num_bins).astype(int), num_bins - 1)
    count = np.bincount(place, minlength=num_bins)
    used = count > 0
    sums = [
        np.bincount(place, weights=value, minlength=num_bins)[used]
        for value in (probability, outcome)
    ]
    return {
        'predicted': sums[0] / count[used],
        'observed': sums[1] / count[used],
        'count': count[used],
    }


def draw_reliability(
    path: str | Path,
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]],
    num_bins: int = 10,
) -> None:
    """Draws a reliability diagram: how often an event happened against how
    likely it was said to be, with 90 % Wilson intervals, and below it how
    many predictions there are.

    Args:
        path: The picture, as PNG or SVG by its name.
        curves: Probabilities and outcomes by the name of each curve, as in
            :func:`calibration_error`, whose value the legend shows.
        num_bins: The number of bins.

    Raises:
        OSError: If the picture cannot be written.
        ValueError: If the number of bins is not positive.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 6.4), layout='constrained')
    top, bottom = figure.subplots(
        2, sharex=True, gridspec_kw={'height_ratios': (4, 1)}
    )
    top.plot((0, 1), (0, 1), color='0.6', linestyle=':', label='perfect')
    for number, (name, (probability, outcome)) in enumerate(curves.items()):
        error = calibration_error(probability, outcome, num_bins)
        points = reliability(probability, outcome, num_bins)
        _curve(top, points, f'{name}, error {error:.3f}', number)
        bottom.hist(
            _known(probability, outcome)[0],
            bins=np.linspace(0, 1, num_bins + 1),
            histtype='step',
            color=f'C{number}',
        )
    top.set(xlim=(0, 1), ylim=(0, 1), ylabel='observed frequency')
    # Beside the curves, which may be anywhere.
    figure.legend(loc='outside upper left')
    bottom.set(xlabel='predicted probability', ylabel='molecules')
    path = Path(path)
    with replacing(path) as file:
        figure.savefig(file, format=path.suffix[1:] or 'png', dpi=150)


def _curve(
    axes: Any, points: dict[str, np.ndarray], label: str, number: int
) -> None:
    low, high = _wilson(points['observed'], points['count'])
    observed = points['observed']
    # Rounding must not make an arm of an error bar negative.
    arms = np.maximum((observed - low, high - observed), 0)
    axes.errorbar(
        points['predicted'],
        observed,
        arms,
        marker='o',
        markersize=4,
        linewidth=1,
        capsize=2,
        color=f'C{number}',
        label=label,
    )


def _wilson(
    share: np.ndarray, count: np.ndarray, z: float = 1.645
) -> tuple[np.ndarray, np.ndarray]:
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    root = np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    arm = z * root / (1 + z**2 / count)
    return middle - arm, middle + arm


def _known(
    probability: np.ndarray, outcome: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    probability = np.asarray(probability, dtype=np.float64).ravel()
    outcome = np.asarray(outcome, dtype=np.float64).ravel()
    known = np.isfinite(probability) & np.isfinite(outcome)
    return probability[known], outcome[known]
