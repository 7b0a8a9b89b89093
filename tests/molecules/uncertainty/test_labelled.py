"""Molecules whose class is known."""

import numpy as np

from gmoe.molecules.uncertainty.labelled import labelled


def test_leaves_out_what_is_not_known():
    probability = np.array([[0.1, 0.9], [0.5, 0.5], [np.nan, 1], [0.2, 0.8]])
    out, label = labelled(probability, np.array([1, np.nan, 0, -1]))
    assert out.tolist() == [[0.1, 0.9]]
    assert label.tolist() == [1]
    assert label.dtype == np.int64
