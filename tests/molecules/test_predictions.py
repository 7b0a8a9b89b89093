"""Predictions as columns of a table."""

import numpy as np
import pytest

from gmoe.molecules.predictions import Predictions, by_class
from tests.molecules import tiny


def test_values():
    predictions = Predictions(
        tiny.REGRESSION,
        np.array([[1.5], [np.nan]]),
        ['', 'empty'],
        spread=np.array([[0.5], [np.nan]]),
        intervals=np.array([[[1, np.inf]], [[np.nan, np.nan]]]),
        similarity=np.array([0.25, np.nan]),
    )
    assert predictions.columns() == {
        'solubility_predicted': [1.5, None],
        'solubility_std': [0.5, None],
        'solubility_low': [1, None],
        'solubility_high': [np.inf, None],
        'similarity': [0.25, None],
        'reason': ['', 'empty'],
    }
    assert predictions.classes is None
    assert len(predictions) == 2


def test_two_classes():
    values = by_class(np.array([[0.25], [0.75], [np.nan]]), tiny.BINARY)
    sets = np.array([[[True, False]], [[True, True]], [[False, False]]])
    predictions = Predictions(
        tiny.BINARY, values, ['', '', 'no'], spread=values / 10, sets=sets
    )
    assert predictions.columns() == {
        'toxic_predicted': ['no', 'yes', None],
        'toxic_probability': [0.25, 0.75, None],
        'toxic_std': [0.025, pytest.approx(0.075), None],
        'toxic_set': ['no', 'no|yes', None],
        'reason': ['', '', 'no'],
    }
    assert predictions.classes.tolist() == [[0], [1], [-1]]


def test_several_classes():
    values = by_class(np.array([[0.25, 0.5, 0.25]]), tiny.SEVERAL)
    sets = np.zeros((1, 1, 3), dtype=bool)
    columns = Predictions(tiny.SEVERAL, values, [''], sets=sets).columns()
    assert columns == {
        'kind_predicted': ['base'],
        'kind_probability_acid': [0.25],
        'kind_probability_base': [0.5],
        'kind_probability_none': [0.25],
        'kind_set': [''],
        'reason': [''],
    }


def test_some_behind_others():
    parts = [
        Predictions(
            tiny.REGRESSION,
            np.array([[float(i)], [np.nan]]),
            ['', f'no {i}'],
            level=0.8,
            intervals=np.full((2, 1, 2), i),
        )
        for i in range(2)
    ]
    out = Predictions.joined(parts)
    assert out.columns() == {
        'solubility_predicted': [0, None, 1, None],
        'solubility_low': [0, 0, 1, 1],
        'solubility_high': [0, 0, 1, 1],
        'reason': ['', 'no 0', '', 'no 1'],
    }
    assert out.level == 0.8
