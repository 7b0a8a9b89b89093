"""Temperatures against a search over many of them."""

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from gmoe.molecules.uncertainty import (
    TemperatureCalibration,
    calibration_error,
)
from tests.molecules.uncertainty.test_sets import draw


def scaled(probability, temperature):
    power = probability ** (1 / temperature)
    return power / power.sum(axis=1, keepdims=True)


@pytest.mark.parametrize('num_classes', [2, 5])
@pytest.mark.parametrize('temperature', [0.4, 1.0, 3.0])
def test_finds_the_temperature(num_classes, temperature):
    random = np.random.default_rng(0)
    right, label = draw(random, 4000, num_classes)
    # What was made too sure or too unsure is made right again.
    wrong = scaled(right, 1 / temperature)
    fitted = TemperatureCalibration(wrong, label)
    assert fitted.temperature == pytest.approx(temperature, rel=0.1)
    out = fitted(wrong)
    tried = [log_loss(label, scaled(wrong, t)) for t in np.geomspace(0.1, 9)]
    assert log_loss(label, out) <= min(tried) + 1e-4
    assert out.sum(axis=1) == pytest.approx(1)


def test_order_stays():
    random = np.random.default_rng(1)
    right, label = draw(random, 500, 2)
    wrong = scaled(right, 0.3)
    out = TemperatureCalibration(wrong, label)(wrong)
    before, after = (roc_auc_score(label, p[:, 1]) for p in (wrong, out))
    assert after == before
    errors = [calibration_error(p[:, 1], label) for p in (wrong, out)]
    assert errors[1] < 0.5 * errors[0]


def test_too_little_to_learn_from():
    probability = np.full((20, 2), 0.5)
    few = TemperatureCalibration(probability[:9], np.arange(9) % 2)
    one = TemperatureCalibration(probability, np.ones(20))
    none = TemperatureCalibration(probability, np.full(20, np.nan))
    for fitted in (few, one, none):
        assert not fitted.is_fitted
        assert fitted.temperature == 1
        assert np.array_equal(fitted(probability), probability)


def test_predictions_without_errors_stay_finite():
    label = np.arange(20) % 2
    probability = np.stack([1.0 - label, label], axis=1)
    fitted = TemperatureCalibration(probability, label)
    assert fitted.is_fitted
    assert np.isfinite(fitted(probability)).all()
    assert fitted.temperature > 0.01
