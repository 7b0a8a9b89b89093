"""Errors that cross from one process to another."""

import pickle
from pathlib import Path

from gmoe.datasets import CorruptDatasetError


def test_corrupt_dataset_error_can_be_pickled():
    error = CorruptDatasetError(Path('raw.csv'), 'it is empty')
    out = pickle.loads(pickle.dumps(error))
    assert str(out) == str(error)
    assert out.path == error.path
