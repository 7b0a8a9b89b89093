"""The uncertainty of all targets of a network."""

import numpy as np
import pytest

from gmoe.datasets.molecules.info import MoleculeInfo
from gmoe.molecules.predictions import by_class
from gmoe.molecules.uncertain import Uncertainty
from gmoe.molecules.uncertainty import (
    ConformalIntervals,
    ConformalSets,
    IsotonicCalibration,
    TemperatureCalibration,
)
from tests.molecules import tiny

TWO = MoleculeInfo(('a', 'b'), 'regression', None)


def test_each_target_has_its_intervals():
    data = tiny.make_calibration(TWO, 30)
    data.target[:10, 1] = np.nan
    uncertainty = Uncertainty(TWO, [data])
    assert uncertainty.counts.tolist() == [30, 20]
    new = np.array([[0.0, 1.0], [2.0, 3.0]])
    out = uncertainty.intervals(new, 0.8, None)
    for i in range(2):
        alone = ConformalIntervals(data.prediction[:, i], data.target[:, i])
        assert np.array_equal(out[:, i], alone(new[:, i], 0.8))
    assert uncertainty.calibrate(new, 'temperature') is new


def test_members_of_one_split_have_intervals_by_their_spread():
    data = [tiny.make_calibration(tiny.REGRESSION, 30, i) for i in range(3)]
    uncertainty = Uncertainty(tiny.REGRESSION, data)
    new = np.zeros((2, 1))
    out = uncertainty.intervals(new, 0.8, np.array([[0.1], [1.0]]))
    narrow, wide = out[:, 0, 1] - out[:, 0, 0]
    assert narrow < wide


@pytest.mark.parametrize('info', [tiny.BINARY, tiny.SEVERAL])
def test_classes(info):
    data = tiny.make_calibration(info, 60)
    uncertainty = Uncertainty(info, [data])
    known, target = by_class(data.prediction, info)[:, 0], data.target[:, 0]
    new = known[:5, None]
    for way, kind in (
        ('temperature', TemperatureCalibration),
        ('isotonic', IsotonicCalibration),
    ):
        alone = kind(known, target)(new[:, 0])
        out = uncertainty.calibrate(new, way)
        assert np.array_equal(out[:, 0], alone)
        assert not np.array_equal(out, new)
    assert uncertainty.calibrate(new, 'none') is new
    sets = uncertainty.sets(new, 0.8)
    assert np.array_equal(
        sets[:, 0], ConformalSets(known, target)(new[:, 0], 0.8)
    )


def test_predictions_that_are_no_number():
    data, clean = (tiny.make_calibration(TWO, 30) for _ in range(2))
    data.prediction[:4, 1] = np.nan
    clean.target[:4, 1] = np.nan
    found, expected = Uncertainty(TWO, [data]), Uncertainty(TWO, [clean])
    assert found.counts.tolist() == [30, 26]
    new = np.zeros((1, 2))
    assert np.array_equal(
        found.intervals(new, 0.8, None), expected.intervals(new, 0.8, None)
    )


def test_what_is_refused():
    data = tiny.make_calibration(TWO, 30)
    with pytest.raises(ValueError, match='of 1 outputs and 1 targets'):
        Uncertainty(tiny.REGRESSION, [data])
    uncertainty = Uncertainty(TWO, [data])
    with pytest.raises(ValueError, match="'calibrate' must be one of"):
        uncertainty.calibrate(data.prediction, 'platt')
