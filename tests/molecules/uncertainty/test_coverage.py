"""Shares of intervals and sets that hold the truth."""

import numpy as np

from gmoe.molecules.uncertainty import coverage, set_coverage


def test_intervals():
    intervals = np.array([[0, 1], [0, 1], [-np.inf, np.inf], [0, 1]])
    assert coverage(intervals, np.array([1, 1.5, 9, np.nan])) == 2 / 3
    assert np.isnan(coverage(intervals, np.full(4, np.nan)))


def test_sets():
    sets = np.array([[True, False], [True, True], [False, False]])
    assert set_coverage(sets, np.array([0, 1, 0])) == 2 / 3
    assert set_coverage(sets, np.array([1, np.nan, -1])) == 0
    assert np.isnan(set_coverage(sets, np.full(3, -1)))
