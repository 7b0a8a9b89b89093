"""Pooling that leaves out padding."""

import pytest
import torch

from gmoe.text.head import POOLINGS, pool

HIDDEN = torch.tensor(
    [[[1.0, -5.0], [3.0, -7.0], [90.0, 90.0]], [[2.0, 2.0]] * 3]
)
MASK = torch.tensor([[1, 1, 0], [1, 1, 1]])
EXPECTED = {
    'cls': [[1.0, -5.0], [2.0, 2.0]],
    'mean': [[2.0, -6.0], [2.0, 2.0]],
    'max': [[3.0, -5.0], [2.0, 2.0]],
}


@pytest.mark.parametrize('how', POOLINGS)
def test_masked(how):
    out = pool(HIDDEN, MASK, how)
    torch.testing.assert_close(out, torch.tensor(EXPECTED[how]))


@pytest.mark.parametrize('how', POOLINGS)
def test_padding_has_no_influence(how):
    hidden = HIDDEN.clone()
    hidden[0, 2] = float('nan')
    out = pool(hidden, MASK, how)
    torch.testing.assert_close(out, torch.tensor(EXPECTED[how]))


@pytest.mark.parametrize('how', POOLINGS)
def test_without_a_mask(how):
    ones = torch.ones_like(MASK)
    assert torch.equal(pool(HIDDEN, None, how), pool(HIDDEN, ones, how))


@pytest.mark.parametrize('how', POOLINGS)
def test_padding_on_the_left(how):
    out = pool(HIDDEN.flip(1), MASK.flip(1), how)
    expected = torch.tensor(EXPECTED[how])
    if how == 'cls':
        expected[0] = HIDDEN[0, 1]
    torch.testing.assert_close(out, expected)


@pytest.mark.parametrize('how', ['mean', 'max'])
def test_no_token(how):
    out = pool(HIDDEN, torch.zeros_like(MASK), how)
    assert torch.equal(out, torch.zeros(2, 2))


def test_unknown():
    with pytest.raises(ValueError, match="must be one of.*'sum'"):
        pool(HIDDEN, MASK, 'sum')
