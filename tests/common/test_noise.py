"""The noise that tells copies of the same weights apart."""

import pytest
import torch

from gmoe.common.noise import check_noise, disturbed


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float64])
def test_share_of_the_standard_deviation(dtype):
    torch.manual_seed(0)
    value = (3 + 5 * torch.randn(200, 100)).to(dtype)
    other = disturbed(value, 0.2)
    assert other.dtype == dtype
    change = (other - value).double()
    assert abs(change.mean()) < 0.03
    assert 0.95 < change.std() < 1.05


def test_what_stays():
    value = torch.randn(3, 2)
    same = disturbed(value, 0)
    assert torch.equal(same, value)
    assert same.data_ptr() != value.data_ptr()
    for one in (torch.tensor(2.0), torch.ones(1), torch.ones(4)):
        assert torch.equal(disturbed(one, 0.5), one)


@pytest.mark.parametrize('noise', [-0.1, 1.01, float('nan'), '0.1', True])
def test_refused(noise):
    with pytest.raises(ValueError, match="'weight_noise' must be a number"):
        check_noise(noise, 'weight_noise')
    check_noise(0)
    check_noise(1)
