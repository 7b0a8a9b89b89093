"""Isotonic calibration."""

import numpy as np
import pytest

from gmoe.molecules.uncertainty import (
    IsotonicCalibration,
    calibration_error,
)
from tests.molecules.uncertainty.test_sets import draw


def pool_adjacent_violators(outcome):
    """The rising steps of the definition, one at a time."""
    blocks = [[value, 1] for value in map(float, outcome)]
    i = 0
    while i < len(blocks) - 1:
        if blocks[i][0] > blocks[i + 1][0]:
            (a, n), (b, m) = blocks[i : i + 2]
            blocks[i : i + 2] = [[(a * n + b * m) / (n + m), n + m]]
            i = max(i - 1, 0)
        else:
            i += 1
    return [value for value, count in blocks for _ in range(count)]


def test_is_the_definition():
    random = np.random.default_rng(0)
    p = np.sort(random.uniform(size=60))
    label = (random.uniform(size=60) < p**2).astype(float)
    probability = np.stack([1 - p, p], axis=1)
    out = IsotonicCalibration(probability, label)(probability)
    assert out[:, 1] == pytest.approx(pool_adjacent_violators(label))
    assert out.sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize('num_classes', [2, 3])
def test_mends_any_rising_curve(num_classes):
    random = np.random.default_rng(1)
    right, label = draw(random, 6000, num_classes)
    wrong = right**3
    wrong /= wrong.sum(axis=1, keepdims=True)
    fitted = IsotonicCalibration(wrong[:4000], label[:4000])
    out = fitted(wrong[4000:])
    assert out.sum(axis=1) == pytest.approx(1)
    is_first = (label[4000:] == 1).astype(float)
    before = calibration_error(wrong[4000:, 1], is_first)
    assert calibration_error(out[:, 1], is_first) < 0.5 * before


def test_too_little_to_learn_from():
    probability = np.full((20, 2), 0.5)
    fitted = IsotonicCalibration(probability, np.ones(20))
    assert not fitted.is_fitted
    assert np.array_equal(fitted(probability), probability)


def test_predictions_that_are_not_finite_stay_so():
    probability, label = draw(np.random.default_rng(2), 50, 2)
    fitted = IsotonicCalibration(probability, label)
    out = fitted(np.array([[np.nan, np.nan], [0.5, 0.5]]))
    assert np.isnan(out[0]).all()
    assert np.isfinite(out[1]).all()
    assert fitted(np.empty((0, 2))).shape == (0, 2)
