"""Matrices in compressed rows, beside those of scipy."""

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

from gmoe.datasets import CorruptDatasetError
from gmoe.datasets.nodes import sparse

PARTS = {
    'data': np.array([1.0, 2.0, 4.0], dtype=np.float32),
    'indices': np.array([1, 1, 3]),
    'indptr': np.array([0, 2, 2, 3]),
    'shape': np.array([3, 4]),
}


def dense(**changes):
    return sparse.dense(**{**PARTS, **changes}, path=Path('f'), name='attr')


def test_dense_is_that_of_scipy():
    parts = PARTS['data'], PARTS['indices'], PARTS['indptr']
    expected = scipy.sparse.csr_matrix(parts, PARTS['shape']).toarray()
    np.testing.assert_array_equal(dense(), expected)
    assert dense()[0, 1] == 3  # There twice.
    row = sparse.row_of_each(PARTS['indptr'])
    assert row.tolist() == [0, 0, 2]


@pytest.mark.parametrize(
    'changes',
    [
        {'indices': np.array([1, 1, 4])},
        {'indices': np.array([1, -1, 3])},
        {'indptr': np.array([0, 2, 1, 3])},
        {'indptr': np.array([0, 2, 3])},
        {'indptr': np.array([0, 2, 2, 4])},
        {'shape': np.array([3, 4, 5])},
        {'shape': np.array([-3, 4])},
        {'data': np.array(['a', 'b', 'c'])},
        {'data': None},
    ],
    ids=str,
)
def test_no_matrix(changes):
    with pytest.raises(CorruptDatasetError, match='in compressed rows'):
        dense(**changes)


def test_too_many_numbers():
    shape = np.array([3, 2**40])
    with pytest.raises(CorruptDatasetError, match='at most'):
        dense(shape=shape)
