"""Molecules whose class is known."""

import numpy as np

from gmoe.molecules.uncertainty.labelled import LEAST, are_enough, labelled


def test_leaves_out_what_is_not_known():
    probability = np.array([[0.1, 0.9], [0.5, 0.5], [np.nan, 1], [0.2, 0.8]])
    out, label = labelled(probability, np.array([1, np.nan, 0, -1]))
    assert out.tolist() == [[0.1, 0.9]]
    assert label.tolist() == [1]
    assert label.dtype == np.int64


def test_enough_of_more_than_one_class():
    label = np.arange(LEAST) % 2
    assert are_enough(label)
    assert not are_enough(label[1:])
    assert not are_enough(np.ones(LEAST, int))
    assert not are_enough(label[:0])
