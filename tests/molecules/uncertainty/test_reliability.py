"""Calibration errors and reliability diagrams."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from gmoe.molecules.uncertainty import calibration_error, draw_reliability
from gmoe.molecules.uncertainty.reliability import reliability


@pytest.fixture(scope='module')
def drawn():
    random = np.random.default_rng(0)
    probability = random.beta(0.5, 1, size=500)
    outcome = (random.uniform(size=500) < probability**2).astype(float)
    return probability, outcome


def slow_error(probability, outcome, num_bins):
    total = 0.0
    for number in range(num_bins):
        inside = [
            (p, y)
            for p, y in zip(probability, outcome)
            if number <= p * num_bins < number + 1
        ]
        if inside:
            p, y = np.mean(inside, axis=0)
            total += len(inside) / len(outcome) * abs(p - y)
    return total


@pytest.mark.parametrize('num_bins', [1, 10, 15])
def test_error_is_the_definition(drawn, num_bins):
    error = calibration_error(*drawn, num_bins)
    assert error == pytest.approx(slow_error(*drawn, num_bins))


def test_points_are_those_of_scikit_learn(drawn):
    observed, predicted = calibration_curve(drawn[1], drawn[0], n_bins=10)
    points = reliability(*drawn)
    assert points['observed'] == pytest.approx(observed)
    assert points['predicted'] == pytest.approx(predicted)
    assert points['count'].sum() == 500


def test_unknown_outcomes_do_not_count(drawn):
    probability, outcome = np.array(drawn)
    outcome[::2] = np.nan
    some = calibration_error(probability, outcome)
    assert some == calibration_error(probability[1::2], outcome[1::2])
    assert np.isnan(calibration_error([0.5], [np.nan]))


@pytest.mark.parametrize('kind', ['png', 'svg'])
def test_picture(drawn, kind, tmp_path):
    path = tmp_path / f'picture.{kind}'
    draw_reliability(path, {'network': drawn, 'nothing': ([], [])})
    start = path.read_bytes()[:8]
    assert start == {'png': b'\x89PNG\r\n\x1a\n', 'svg': b'<?xml ve'}[kind]
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
