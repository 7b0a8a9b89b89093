"""The linear map is PyTorch's, with the parameters of the same names."""

import pytest
import torch

from gmoe.nn.linear import Linear


@pytest.mark.parametrize('bias', [True, False])
def test_equals_torch(bias):
    plain = torch.nn.Linear(5, 3, bias=bias).double()
    ours = Linear(5, 3, bias=bias).double()
    ours.load_state_dict(plain.state_dict())
    x = torch.randn(7, 5).double().requires_grad_()
    assert torch.allclose(ours(x), plain(x), rtol=1e-12)
    for a, b in zip(
        torch.autograd.grad(ours(x).square().sum(), [x, *ours.parameters()]),
        torch.autograd.grad(plain(x).square().sum(), [x, *plain.parameters()]),
    ):
        assert torch.allclose(a, b, rtol=1e-10)
