"""Predictions of what networks have put out, with gaps."""

import numpy as np
import pytest

from gmoe.molecules.featurized import Featurized
from gmoe.molecules.from_outputs import NOT_FINITE, from_outputs
from gmoe.molecules.uncertain import Uncertainty
from tests.molecules import tiny

#: Of three molecules, the second was refused.
MADE = Featurized(['', 'empty', ''], {}, None, np.array([0.5, 1.0]))


def test_values():
    outputs = np.array([[[1], [2]], [[3], [6]]], dtype=np.float32)
    data = [tiny.make_calibration(tiny.REGRESSION, 30, i) for i in range(2)]
    known = Uncertainty(tiny.REGRESSION, data)
    out = from_outputs(outputs, MADE, tiny.REGRESSION, known, 0.8, 'none')
    nan = np.nan
    assert np.array_equal(out.values[:, 0], [2, nan, 4], equal_nan=True)
    spread = np.sqrt([2, nan, 8])
    assert np.allclose(out.spread[:, 0], spread, equal_nan=True)
    assert np.array_equal(out.similarity, [0.5, nan, 1], equal_nan=True)
    values = np.array([[2], [4]])
    bounds = known.intervals(values, 0.8, np.sqrt([[2], [8]]))
    assert np.allclose(out.intervals[[0, 2]], bounds)
    assert np.isnan(out.intervals[1]).all()
    assert (out.level, out.sets) == (0.8, None)
    assert out.reasons == MADE.reasons
    assert out.reasons is not MADE.reasons


@pytest.mark.parametrize('level', [None, 0.8])
def test_classes(level):
    outputs = np.array([[[0.25], [0.75]], [[0.5], [0.5]]], dtype=np.float32)
    known = Uncertainty(tiny.BINARY, [tiny.make_calibration(tiny.BINARY, 60)])
    out = from_outputs(outputs, MADE, tiny.BINARY, known, level, 'isotonic')
    values = np.array([[[0.625, 0.375]], [[0.375, 0.625]]])
    calibrated = known.calibrate(values, 'isotonic')
    assert np.allclose(out.values[[0, 2]], calibrated)
    spread = np.std([0.25, 0.5], ddof=1)
    assert np.allclose(out.spread[[0, 2]], spread)
    assert np.isnan(out.spread[1]).all()
    assert out.intervals is None
    assert out.level == level
    if level is None:
        assert out.sets is None
    else:
        sets = known.sets(values, 0.8)
        assert (out.sets[[0, 2]] == sets).all()
        assert not out.sets[1].any()


def test_one_network_of_which_nothing_is_known():
    outputs = np.array([[[1], [np.inf]]], dtype=np.float32)
    out = from_outputs(outputs, MADE, tiny.REGRESSION, None, 0.8, 'none')
    assert out.reasons == ['', 'empty', NOT_FINITE]
    assert out.spread is out.intervals is out.level is None
