"""Split-conformal intervals against their definition."""

import math
from fractions import Fraction

import numpy as np
import pytest

from gmoe.molecules.uncertainty import ConformalIntervals, coverage

LEVELS = ['0.5', '0.8', '0.9', '0.95', '0.99']


def quantile(scores, level):
    """The definition, with fractions instead of rounded numbers."""
    rank = math.ceil(Fraction(level) * (len(scores) + 1))
    return sorted(scores)[rank - 1] if rank <= len(scores) else np.inf


@pytest.mark.parametrize('level', LEVELS)
@pytest.mark.parametrize('count', [0, 1, 4, 8, 9, 10, 19, 20, 99, 100])
def test_plain_is_the_definition(count, level):
    random = np.random.default_rng(count)
    prediction, target = random.normal(size=(2, count))
    intervals = ConformalIntervals(prediction, target)
    q = quantile(abs(prediction - target), level)
    out = intervals(np.array([1.0, -2.0]), float(level))
    assert out == pytest.approx(np.array([[1 - q, 1 + q], [-2 - q, -2 + q]]))
    assert intervals.count == count


@pytest.mark.parametrize('level', LEVELS[:-1])
def test_normalised_is_the_definition(level):
    random = np.random.default_rng(0)
    prediction, target, spread = random.normal(size=(3, 50))
    spread = abs(spread)
    sigma = spread + np.median(spread)
    q = quantile(abs(prediction - target) / sigma, level)
    intervals = ConformalIntervals(prediction, target, spread)
    out = intervals(prediction, float(level), spread)
    assert out[:, 1] - out[:, 0] == pytest.approx(2 * q * sigma)
    assert out.mean(axis=1) == pytest.approx(prediction)
    with pytest.raises(ValueError, match="'spread' must be that of the"):
        intervals(prediction)


def test_missing_targets_do_not_count():
    random = np.random.default_rng(1)
    prediction, target, spread = random.uniform(size=(3, 40))
    target[::3] = np.nan
    known = ~np.isnan(target)
    some = ConformalIntervals(prediction, target, spread)
    spread[~known] = 100  # Not in the median either.
    same = ConformalIntervals(prediction[known], target[known], spread[known])
    new = np.linspace(0, 1, 5)
    assert np.array_equal(some(new, 0.8, new), same(new, 0.8, new))


def test_members_that_agree_on_all_give_plain_intervals():
    zero = np.zeros(30)
    target = np.arange(30.0)
    intervals = ConformalIntervals(zero, target, zero)
    assert not intervals.is_normalized
    plain = ConformalIntervals(zero, target)
    assert np.array_equal(intervals(zero), plain(zero))


@pytest.mark.parametrize('is_normalized', [False, True])
def test_coverage(is_normalized):
    """On average over calibration sets, it is from 90 % to 1 / (n + 1)
    more."""
    random = np.random.default_rng(2)
    shares = []
    for _ in range(400):
        scale = random.uniform(0.1, 2, size=149)
        error = random.standard_t(4, size=149) * scale
        spread = scale if is_normalized else None
        cut = None if spread is None else spread[:49]
        fitted = ConformalIntervals(np.zeros(49), error[:49], cut)
        cut = None if spread is None else spread[49:]
        out = fitted(np.zeros(100), 0.9, cut)
        shares.append(coverage(out, error[49:]))
    deviation = np.std(shares) / len(shares) ** 0.5
    low, high = 0.9 - 3 * deviation, 0.92 + 3 * deviation
    assert low < np.mean(shares) < high


def test_what_is_refused():
    with pytest.raises(ValueError, match="'prediction' must have one"):
        ConformalIntervals(np.zeros((2, 2)), np.zeros(2))
    with pytest.raises(ValueError, match="'spread' must not be negative"):
        ConformalIntervals(np.zeros(2), np.zeros(2), np.array([1.0, -1.0]))
    with pytest.raises(ValueError, match="'level' must be a share"):
        ConformalIntervals(np.zeros(2), np.zeros(2))(np.zeros(1), 90)
