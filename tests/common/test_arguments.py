import math

import numpy as np
import pytest

from gmoe.common.arguments import (
    check_choice,
    check_integer,
    check_number,
    check_share,
)


def test_choices():
    check_choice('norm', None, ('layer_norm', None))
    message = r"'norm' must be one of \['layer_norm', None\], got 'other'"
    with pytest.raises(ValueError, match=message):
        check_choice('norm', 'other', ('layer_norm', None))


@pytest.mark.parametrize('size', [0, 1.5, '2', True, None])
def test_sizes(size):
    check_integer(1, first=1, second=2)
    message = f"'second' must be an integer >= 1, got {size!r}"
    with pytest.raises(ValueError, match=message):
        check_integer(1, first=1, second=size)


@pytest.mark.parametrize('value', [0, 9, 1.0, True, '2', None])
def test_integers_of_a_range(value):
    check_integer(1, 8, size=1, other=np.int64(8))
    with pytest.raises(ValueError, match="'size' must be an integer from 1"):
        check_integer(1, 8, size=value)


@pytest.mark.parametrize('value', [0, -1, math.nan, math.inf, True, '1', None])
def test_numbers(value):
    check_number(rate=0)
    check_number(rate=np.float32(0.5))
    with pytest.raises(ValueError, match="'rate' must be a number > 0, got"):
        check_number(rate=value, inclusive=False)


@pytest.mark.parametrize('share', [-0.1, 1.0, math.nan, '0', None])
def test_shares(share):
    check_share(dropout=0, text_dropout=0.5)
    message = rf"'dropout' must be in \[0, 1\), got {share!r}"
    with pytest.raises(ValueError, match=message):
        check_share(dropout=share)
    check_share(ratio=1, inclusive=True)
    with pytest.raises(ValueError, match=r"'ratio' must be in \[0, 1\], got"):
        check_share(ratio=1.1, inclusive=True)


def test_long_values_are_cut():
    with pytest.raises(ValueError, match="'conv' must be .*") as error:
        check_choice('conv', 'x' * 1000, ['gcn'])
    assert len(str(error.value)) < 200
