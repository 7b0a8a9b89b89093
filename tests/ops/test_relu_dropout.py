"""ReLU and dropout in one, against the two one after the other."""

import pytest
import torch

from gmoe.ops import AVAILABLE, eager_ops, relu_dropout
from tests.devices import assert_same_bits, move

native = pytest.mark.skipif(not AVAILABLE, reason='no fused ops built')


@pytest.mark.parametrize('relu', [True, False])
@pytest.mark.parametrize('p', [0.1, 0.5, 0.9])
def test_values_and_gradient(relu, p):
    torch.manual_seed(0)
    x = torch.randn(500, 37, dtype=torch.float64, requires_grad=True)
    out = relu_dropout(x, p, relu=relu)
    whole = (x.relu() if relu else x) / (1 - p)
    kept = out != 0
    assert torch.allclose(out[kept], whole[kept], rtol=1e-12)
    share = kept[x > 0].double().mean()
    assert abs(share - (1 - p)) < 0.02
    direction = torch.randn_like(out)
    (grad,) = torch.autograd.grad((out * direction).sum(), x)
    assert torch.allclose(grad, kept * direction / (1 - p), rtol=1e-12)


def test_nothing_is_dropped_in_evaluation_or_without_probability():
    x = torch.randn(40, 5)
    assert torch.equal(relu_dropout(x, 0.5, training=False), x.relu())
    assert torch.equal(relu_dropout(x, 0.0), x.relu())
    assert torch.equal(relu_dropout(x, 0.5, False, relu=False), x)
    assert torch.equal(relu_dropout(x, 1.0), torch.zeros_like(x))


def test_seed_decides():
    x = torch.rand(300, 7)
    outs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        outs.append(relu_dropout(x, 0.5))
    assert torch.equal(outs[0], outs[1])
    assert not torch.equal(outs[0], outs[2])
    # Two calls in a row draw two masks.
    assert not torch.equal(relu_dropout(x, 0.5), relu_dropout(x, 0.5))


@pytest.mark.parametrize('shape', [(0,), (0, 4), (1,), (3, 1000, 2)])
def test_shapes(shape):
    out = relu_dropout(torch.ones(shape), 0.5)
    assert out.shape == shape
    assert set(out.unique().tolist()) <= {0.0, 2.0}


def test_elements_are_independent():
    x = torch.ones(200_000)
    torch.manual_seed(3)
    kept = (relu_dropout(x, 0.5) > 0).double() - 0.5
    for lag in (1, 2, 3, 4, 64, 256):
        correlation = 4 * (kept[lag:] * kept[:-lag]).mean()
        assert abs(correlation) < 0.012


@native
def test_words_of_philox():
    # The known answer for counter and key zero: 0x6627e8d5, 0xe169c58d,
    # 0xbc57ac4c, 0x9b00dbd8, as shares 0.399, 0.880, 0.736 and 0.605.
    seed = torch.zeros(1, dtype=torch.long)
    x = torch.ones(4)
    for p, kept in (
        (0.39, [1, 1, 1, 1]),
        (0.41, [0, 1, 1, 1]),
        (0.61, [0, 1, 1, 0]),
        (0.74, [0, 1, 0, 0]),
        (0.89, [0, 0, 0, 0]),
    ):
        out = torch.ops.gmoe.relu_dropout(x, seed, p, True)
        assert (out > 0).int().tolist() == kept


@native
@pytest.mark.parametrize('relu', [True, False])
def test_same_bits_for_every_thread_count(relu):
    x = torch.randn(3000, 50, requires_grad=True)
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            torch.manual_seed(5)
            out = relu_dropout(x, 0.3, relu=relu)
            (grad,) = torch.autograd.grad(out.square().sum(), x)
            results.append((out.detach(), grad))
    finally:
        torch.set_num_threads(before)
    for out, grad in results[1:]:
        assert torch.equal(out, results[0][0])
        assert torch.equal(grad, results[0][1])


@native
@pytest.mark.parametrize(
    'dtype', [torch.float32, torch.float64, torch.float16, torch.bfloat16]
)
def test_types_share_the_mask(dtype):
    x = torch.rand(1000) + 0.5
    torch.manual_seed(0)
    expected = relu_dropout(x.double(), 0.5)
    torch.manual_seed(0)
    out = relu_dropout(x.to(dtype), 0.5)
    assert out.dtype == dtype
    assert torch.equal(out > 0, expected > 0)


@native
@pytest.mark.parametrize('relu', [True, False])
def test_opcheck_and_second_derivative(relu):
    x = torch.randn(20, 3, dtype=torch.float64, requires_grad=True)
    seed = torch.tensor([7])
    torch.library.opcheck(
        torch.ops.gmoe.relu_dropout.default, (x, seed, 0.5, relu)
    )
    out = relu_dropout(x, 0.5, relu=relu)
    (grad,) = torch.autograd.grad(out.square().sum(), x, create_graph=True)
    with pytest.raises(NotImplementedError, match='no second derivative'):
        grad.sum().backward()
    with eager_ops():
        out = relu_dropout(x, 0.5, relu=relu)
        (grad,) = torch.autograd.grad(out.square().sum(), x, create_graph=True)
        grad.sum().backward()


@native
def test_bad_arguments():
    x = torch.ones(3)
    with pytest.raises(RuntimeError, match="'seed' must have shape .1., got"):
        torch.ops.gmoe.relu_dropout(x, torch.zeros(2).long(), 0.5, True)
    with pytest.raises(RuntimeError, match="'p' must be at least 0"):
        torch.ops.gmoe.relu_dropout(x, torch.zeros(1).long(), 1.0, True)


@native
def test_nan_is_kept_where_it_is_not_dropped():
    x = torch.full((100,), torch.nan)
    out = relu_dropout(x, 0.5)
    assert 20 < int(out.isnan().sum()) < 80


@pytest.mark.parametrize('relu', [True, False])
@pytest.mark.parametrize(
    'dtype', [torch.float64, torch.float32, torch.float16, torch.bfloat16]
)
def test_seed_gives_the_same_mask_on_each_device(fused_device, dtype, relu):
    seed = torch.tensor([5 + 2**40])
    for size in (0, 1, 3, 4, 1030, 100_003):
        x = torch.randn(size + 1, generator=torch.Generator().manual_seed(0))
        # Elements at a multiple of a pack of them, and one further.
        for offset in (0, 1):
            outs = []
            for device in ('cpu', fused_device):
                there = move(x.to(dtype), device)[offset : size + offset]
                there.requires_grad_()
                out = torch.ops.gmoe.relu_dropout(
                    there, seed.to(device), 0.3, relu
                )
                (grad,) = torch.autograd.grad(out.square().sum(), there)
                outs.append((out.detach(), grad))
            assert_same_bits(*outs)
