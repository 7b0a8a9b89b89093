"""Molecules that RDKit refuses get the mean of the training labels."""

import numpy as np
import pytest

from benchmarks.reproduce.kinds.molecules import Molecules, joined


@pytest.fixture
def molecules():
    target = np.array([[1.0, 0.0], [0.0, np.nan], [1.0, 1.0], [0.0, 1.0]])
    parts = {'train': [0, 1], 'valid': [2], 'test': [3]}
    return Molecules(
        'ogbg-moltox21',
        'rocauc',
        False,
        ['C', 'CC', 'C[N](C)(C)(C)C', 'not one'],
        target,
        {part: np.array(rows) for part, rows in parts.items()},
    )


def test_readable(molecules):
    pytest.importorskip('rdkit')
    assert molecules.readable().tolist() == [True, True, False, False]


def test_filled(molecules):
    prediction = np.array([[0.1, 0.2]] * 3 + [[np.nan, np.nan]])
    filled = molecules.filled(prediction)
    assert filled[:3].tolist() == prediction[:3].tolist()
    assert filled[3].tolist() == [0.5, 0.0]


def test_joined(molecules):
    assert joined(molecules.parts, ('test', 'valid')).tolist() == [3, 2]
