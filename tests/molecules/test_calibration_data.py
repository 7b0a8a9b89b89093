"""What a run leaves for the uncertainty of its predictions."""

import warnings

import numpy as np
import pytest
from safetensors.numpy import save_file

from gmoe.molecules.calibration_data import (
    FORMAT,
    CalibrationData,
    held_out,
    mean_and_spread,
)
from tests.molecules import tiny


@pytest.fixture
def data():
    return tiny.make_calibration(tiny.REGRESSION, 20)


def parts(data):
    return dict(vars(data))


def test_round_trip(data, tmp_path):
    data.target[3] = np.nan
    path = tmp_path / 'calibration.safetensors'
    data.save(path)
    again = CalibrationData.load(path)
    for name, value in parts(data).items():
        assert np.array_equal(
            getattr(again, name), value, equal_nan=name == 'target'
        )
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_files_that_are_none(data, tmp_path):
    path = tmp_path / 'calibration.safetensors'
    data.save(path)
    content = path.read_bytes()
    good = {'format': FORMAT}
    bad = [b'', b'\x80\x04.', content[:50], content[:-5]]
    for text in bad:
        path.write_bytes(text)
        with pytest.raises(ValueError, match="must be what a run of 'gmoe"):
            CalibrationData.load(path)
    for change, metadata in (
        ({}, {'format': 'other'}),
        ({'row': np.zeros(3)}, good),
        ({'row': np.zeros(3, np.int64)}, good),
        ({'fingerprints': np.zeros((2, 3), np.uint8)}, good),
    ):
        save_file({**parts(data), **change}, path, metadata)
        with pytest.raises(ValueError, match="must be what a run of 'gmoe"):
            CalibrationData.load(path)
    with pytest.raises(ValueError, match='No such file'):
        CalibrationData.load(tmp_path / 'nothing')


def test_members_of_the_same_split_predict_together(data):
    other = tiny.make_calibration(tiny.REGRESSION, 20, seed=1)
    joined = held_out([data, other])
    both = np.stack([data.prediction, other.prediction]).astype(float)
    assert joined.prediction == pytest.approx(both.mean(axis=0))
    distance = abs(both[0] - both[1])
    assert joined.spread == pytest.approx(distance / 2**0.5)
    assert np.array_equal(joined.target, data.target)


def test_members_of_several_folds_predict_their_own(data):
    other = CalibrationData(
        data.prediction + 1, data.target, data.row + 20, data.fingerprints
    )
    joined = held_out([data, other])
    assert joined.spread is None
    assert len(joined.prediction) == len(joined.target) == 40
    assert joined.prediction[20:] == pytest.approx(data.prediction + 1)
    assert held_out([data]).spread is None


@pytest.mark.parametrize('info', [tiny.REGRESSION, tiny.BINARY, tiny.SEVERAL])
def test_what_is_no_number_is_not_known(info):
    data, other = (tiny.make_calibration(info, 20, seed) for seed in range(2))
    other.prediction[3, 0], other.prediction[5, -1] = np.nan, np.inf
    expected = data.target.copy()
    expected[[3, 5]] = np.nan
    for parts in ([other], [data, other]):
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            found = held_out(parts).target
        assert np.array_equal(found, expected, equal_nan=True)
    # The file says what it has said.
    assert np.isfinite(other.target).all()


def test_a_single_member_has_no_spread():
    mean, spread = mean_and_spread(np.ones((1, 3, 2), np.float32))
    assert (mean == 1).all()
    assert (spread == 0).all()
