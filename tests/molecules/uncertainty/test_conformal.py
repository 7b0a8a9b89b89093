"""Levels of conformal prediction."""

import warnings
from fractions import Fraction

import pytest

from gmoe.molecules.uncertainty.conformal import (
    check_level,
    crepes,
    least_number,
)


@pytest.mark.parametrize('level', ['0.5', '0.8', '0.9', '0.95', '0.99', '0.7'])
def test_least_number(level):
    alpha = 1 - Fraction(level)
    count = least_number(float(level))
    assert count + 1 >= 1 / alpha > count


@pytest.mark.parametrize('level', [0, 1, 1.5, -0.1, float('nan'), '0.9', None])
def test_levels_that_are_none(level):
    with pytest.raises(ValueError, match="'level' must be"):
        check_level(level)


def test_import_leaves_warnings_as_they_are():
    before = list(warnings.filters)
    assert crepes().ConformalRegressor
    assert warnings.filters == before
