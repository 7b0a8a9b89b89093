import os
import subprocess
import sys

import pytest
import torch
from torch.nn import functional

from gmoe.nn.linear import Linear
from gmoe.ops import AVAILABLE, linear


def arguments(rows, with_bias, dtype=torch.float32, shape=()):
    generator = torch.Generator().manual_seed(0)

    def normal(*shape):
        out = torch.randn(shape, generator=generator, dtype=torch.float64)
        return out.to(dtype).requires_grad_()

    bias = normal(7) if with_bias else None
    return normal(*shape, rows, 12), normal(7, 12), bias


@pytest.mark.parametrize('with_bias', [True, False])
@pytest.mark.parametrize('rows', [0, 1, 16, 37, 1100])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_value_and_gradients(rows, with_bias, dtype):
    inputs = arguments(rows, with_bias, dtype)
    slow = [None if t is None else t.detach().double() for t in inputs]
    tensors = [t for t in inputs if t is not None]
    out = linear(*inputs)
    expected = functional.linear(*slow)
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    assert out.dtype == dtype
    assert torch.allclose(out.double(), expected, tolerance, tolerance)

    weight = torch.randn_like(expected)
    grads = torch.autograd.grad((out * weight.to(dtype)).sum(), tensors)
    x, map_, _ = slow
    by_hand = [weight @ map_, weight.t() @ x, weight.sum(0)]
    for grad, exact, tensor in zip(grads, by_hand, tensors):
        assert grad.shape == tensor.shape
        assert torch.allclose(grad.double(), exact, tolerance, 10 * tolerance)


def test_rows_that_are_not_contiguous():
    x, weight, bias = (t.detach() for t in arguments(37, True))
    expected = functional.linear(x, weight, bias)
    assert torch.allclose(
        linear(x.t().contiguous().t(), weight, bias), expected, atol=1e-5
    )
    weight = weight.t().contiguous().t()
    assert torch.allclose(linear(x, weight, bias), expected, atol=1e-5)


def test_more_dimensions():
    x, weight, bias = arguments(5, True, shape=(3,))
    expected = functional.linear(x, weight, bias)
    assert torch.equal(linear(x, weight, bias), expected)


def test_autocast():
    inputs = arguments(37, True)
    with torch.autocast('cpu', torch.bfloat16):
        assert linear(*inputs).dtype == torch.bfloat16


def test_second_derivative():
    x, weight, bias = arguments(32, True)
    grad = torch.autograd.grad(
        linear(x, weight, bias).square().sum(), x, create_graph=True
    )[0]
    (second,) = torch.autograd.grad(grad.sum(), weight)
    x, weight, bias = (t.detach().requires_grad_() for t in (x, weight, bias))
    grad = torch.autograd.grad(
        functional.linear(x, weight, bias).square().sum(), x, create_graph=True
    )[0]
    (expected,) = torch.autograd.grad(grad.sum(), weight)
    assert torch.allclose(second, expected, 1e-4, 1e-4)


def test_module_is_pytorchs():
    ours = Linear(12, 7)
    theirs = torch.nn.Linear(12, 7)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(40, 12)
    assert torch.allclose(ours(x), theirs(x), atol=1e-5)


def test_one_graph():
    ours = Linear(12, 7)
    x = torch.randn(40, 12)
    compiled = torch.compile(ours, fullgraph=True, backend='aot_eager')
    assert torch.allclose(compiled(x), ours(x), atol=1e-5)


@pytest.mark.skipif(not AVAILABLE, reason='the fused ops are not built')
@pytest.mark.parametrize('wish', ['0', '1'])
def test_choice_of_library(wish):
    code = (
        'import torch\n'
        'from gmoe.ops import linear\n'
        'x, w = torch.randn(64, 12), torch.randn(7, 12, requires_grad=True)\n'
        'out = linear(x, w)\n'
        'assert torch.allclose(out, x @ w.t(), atol=1e-5)\n'
        "print('gmoe' in out.grad_fn.name())\n"
    )
    process = subprocess.run(
        [sys.executable, '-c', code],
        env={**os.environ, 'GMOE_ONEDNN': wish},
        capture_output=True,
        text=True,
        check=True,
    )
    assert process.stdout.split() == [str(wish == '1')]
