"""Rows by index against indexing."""

import pytest
import torch

from gmoe.ops import add_rows, eager_ops, gather_rows


@pytest.mark.parametrize('size', [0, 1, 50, 5000])
@pytest.mark.parametrize('channels', [1, 7, 64])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_equals_indexing(size, channels, dtype, device):
    generator = torch.Generator().manual_seed(size)
    x = torch.randn(20, channels, generator=generator, dtype=dtype)
    x = x.to(device).requires_grad_()
    index = torch.randint(20, (size,), generator=generator).to(device)
    weight = torch.randn(size, channels, generator=generator, dtype=dtype)
    weight = weight.to(device)
    grads = []
    for out in (gather_rows(x, index), x[index]):
        assert torch.equal(out, x[index])
        (grad,) = torch.autograd.grad((out * weight).sum(), x)
        grads.append(grad)
    tolerance = 1e-4 if dtype == torch.float32 else 1e-11
    assert torch.allclose(*grads, rtol=tolerance, atol=tolerance)


def test_same_bits_for_every_thread_count():
    x = torch.randn(100, 33, requires_grad=True)
    index = torch.randint(100, (5000,))
    weight = torch.randn(5000, 33)
    before = torch.get_num_threads()
    grads = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            out = (gather_rows(x, index) * weight).sum()
            grads.append(torch.autograd.grad(out, x)[0])
    finally:
        torch.set_num_threads(before)
    assert torch.equal(grads[0], grads[1])
    assert torch.equal(grads[0], grads[2])


def test_gradcheck(device):
    x = torch.randn(4, 3, dtype=torch.float64, device=device)
    x.requires_grad_()
    index = torch.tensor([1, 1, 3], device=device)
    assert torch.autograd.gradcheck(lambda x: gather_rows(x, index), x)
    assert torch.autograd.gradgradcheck(lambda x: gather_rows(x, index), x)


@pytest.mark.parametrize('size', [0, 1, 500])
def test_rows_are_added(size, device):
    x = torch.randn(size, 5, dtype=torch.float64, device=device)
    index = torch.randint(9, (size,), device=device)
    expected = torch.zeros(9, 5, dtype=torch.float64, device=device)
    for row, at in zip(x, index):
        expected[at] += row
    assert torch.allclose(add_rows(x, index, 9), expected)
    assert torch.equal(add_rows(x, index, 9), add_rows(x, index, 9))
    with eager_ops():
        assert torch.allclose(add_rows(x, index, 9), expected)


def test_gradient_of_added_rows(device):
    x = torch.randn(4, 3, dtype=torch.float64, device=device)
    x.requires_grad_()
    index = torch.tensor([1, 1, 3, 0], device=device)
    assert torch.autograd.gradcheck(lambda x: add_rows(x, index, 5), x)
    assert torch.autograd.gradgradcheck(lambda x: add_rows(x, index, 5), x)
