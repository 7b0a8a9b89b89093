import numpy as np
import pytest

from gmoe.datasets.molecules.values import Column, key


def column(*cells, is_comma_free=False):
    lines = range(2, len(cells) + 2)
    return Column('y', cells, lines, 'a.csv', is_comma_free)


def test_numbers_and_what_is_missing():
    y = column('1', '-2.5', '', 'nan', 'NA', 'n/a', '1e3', '#N/A', 'None', '?')
    expected = [1, -2.5, *[np.nan] * 4, 1e3, *[np.nan] * 3]
    np.testing.assert_array_equal(y.numbers, expected)
    assert y.num_labels == 3
    assert y.is_numeric
    y.check_numbers()


@pytest.mark.parametrize(
    'cell', ['abc', '>5', 'inf', '-Infinity', '1_000', '-1e16']
)
def test_a_cell_that_is_no_number_is_named(cell):
    y = column('1', '', cell, '4', 'no')
    with pytest.raises(ValueError, match=f"line 4: 'y' .*got '{cell}'"):
        y.check_numbers()


def test_decimal_commas():
    y = column('1,5', '', '2', ',25', '-1,5e-3')
    assert y.numbers[[0, 2, 3, 4]].tolist() == [1.5, 2, 0.25, -1.5e-3]
    assert y.has_decimal_comma
    assert column('0,5', '1,234').numbers.tolist() == [0.5, 1.234]
    y = column('1,234', '5,678', is_comma_free=True)
    assert y.numbers.tolist() == [1.234, 5.678]


@pytest.mark.parametrize(
    ('cells', 'got'),
    [
        (['1,234', '2,000'], "'1,234'"),  # One thousand, or one?
        (['1,234,567', '1,5'], "'1,234,567'"),
        (['1,5', '2.5'], "'1,5', and points elsewhere"),
    ],
)
def test_decimal_signs_that_are_not_clear(cells, got):
    with pytest.raises(ValueError, match=f'one decimal sign .*{got}'):
        column('1', *cells)


def test_points_for_thousands_are_no_number():
    with pytest.raises(ValueError, match=r"got '1\.234,5'"):
        column('1', '1.234,5').check_numbers()


@pytest.mark.parametrize(
    ('cells', 'values'),
    [
        (['1', '0', '1.0'], ['0', '1']),
        (['Yes', 'no', 'YES', ''], ['no', 'Yes']),
        (['active', 'inactive'], ['inactive', 'active']),
        (['False', 'True'], ['False', 'True']),
        (['10', '9', '-1'], ['-1', '9', '10']),
        (['b', 'a', 'B'], ['B', 'a', 'b']),
        (['+', '-'], ['-', '+']),
    ],
)
def test_values_in_the_order_of_classes(cells, values):
    assert column(*cells).values() == values


def test_keys():
    assert key('1') == key('1.0') == key('1e0')
    assert key('Yes') == key('yes')
    assert key('Red') != key('red')
    assert key('0.1') != key('0.2')
