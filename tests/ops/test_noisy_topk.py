"""The gate's op against one loop per row, from the paper's formulas."""

import math
from itertools import product

import pytest
import torch

from gmoe.ops import (
    AVAILABLE,
    CUDA_AVAILABLE,
    eager_ops,
    group_by_expert,
    noisy_topk,
    relu_dropout,
)
from gmoe.ops.backend import MAX_CUDA_EXPERTS
from tests.devices import assert_near, assert_same_bits, capture, move

native = pytest.mark.skipif(not AVAILABLE, reason='no fused ops built')
SIZES = [(1, 1), (3, 2), (4, 4), (8, 4), (11, 3), (40, 9)]


def slow_noisy_topk(clean, raw, noise, top_k, topk_first):
    """Shazeer et al. 2017, eq. 3-5 and 8-9, with 0.01 added to the scale."""
    rows = []
    for i in range(clean.size(0)):
        scale = torch.ones_like(clean[i])
        score = clean[i]
        if noise is not None:
            scale = torch.log1p(raw[i].exp()) + 0.01
            score = clean[i] + noise[i] * scale
        n = len(score)
        order = sorted(range(n), key=lambda o: (-score[o].item(), o))
        among = order[:top_k] if topk_first else order
        total = sum(score[o].exp() for o in among)
        weight = torch.stack([score[o].exp() / total for o in order[:top_k]])
        load = []
        for o in range(n):
            others = [score[p] for p in order if p != o]
            if top_k == n:
                load.append(score.new_ones(()))
                continue
            z = (clean[i, o] - others[top_k - 1]) / scale[o]
            load.append(0.5 * torch.erfc(-z / math.sqrt(2)))
        rows.append(
            (weight, torch.tensor(order[:top_k]), score, torch.stack(load))
        )
    weight, expert, logits, load = (torch.stack(part) for part in zip(*rows))
    return weight, expert, logits, None if noise is None else load


def make_case(n, top_k, topk_first=True, noisy=True, num_rows=9, seed=0):
    generator = torch.Generator().manual_seed(seed)
    clean, raw, noise = torch.randn(
        3, num_rows, n, generator=generator, dtype=torch.float64
    )
    clean = (2 * clean).requires_grad_()
    if not noisy:
        return clean, None, None, top_k, topk_first
    return clean, (2 * raw).requires_grad_(), noise, top_k, topk_first


def run(case, function=noisy_topk):
    """Outputs, and the gradients of a mix of those that have one."""
    out = [value for value in function(*case) if value is not None]
    total = sum(
        (value * torch.linspace(-1, 1, value.numel()).view_as(value)).sum()
        for value in (out[0], *out[2:])
    )
    leaves = [value for value in case[:2] if value is not None]
    return [*out, *torch.autograd.grad(total, leaves)]


def cast(case, dtype):
    return [
        value.detach().to(dtype).requires_grad_(value.requires_grad)
        if isinstance(value, torch.Tensor)
        else value
        for value in case
    ]


@pytest.mark.parametrize(('n', 'top_k'), SIZES)
@pytest.mark.parametrize('topk_first', [True, False])
@pytest.mark.parametrize('noisy', [True, False])
def test_loop(n, top_k, topk_first, noisy):
    case = make_case(n, top_k, topk_first, noisy)
    slow = run(case, slow_noisy_topk)
    fused = run(case)
    with eager_ops():
        eager = run(case)
    for values in (fused, eager):
        assert len(values) == len(slow)
        for a, b in zip(values, slow):
            assert a.dtype == b.dtype
            assert torch.allclose(a, b, rtol=1e-9, atol=1e-12)


@native
@pytest.mark.parametrize('topk_first', [True, False])
@pytest.mark.parametrize(
    ('dtype', 'tolerance'),
    [
        (torch.float32, 1e-5),
        (torch.bfloat16, 0.02),
        (torch.float16, 0.002),
    ],
)
def test_types(dtype, tolerance, topk_first):
    case = cast(make_case(8, 4, topk_first, num_rows=200), dtype)
    exact = run(cast(case, torch.float64))
    for a, b in zip(run(case), exact):
        assert a.dtype == (torch.long if b.dtype == torch.long else dtype)
        assert (a.double() - b).abs().max() <= tolerance * b.abs().max()


@native
def test_functions_in_float32_over_their_range():
    # One expert of two: weight, scale and load are plain functions.
    value = torch.linspace(-60, 60, 4001, dtype=torch.float64)
    value = torch.cat([value, value / 100, value.new_tensor([-1e4, 1e4])])
    zero = torch.zeros_like(value)
    clean = torch.stack([value, zero], dim=1).float()
    raw = torch.stack([value, zero], dim=1).float()

    weight = noisy_topk(clean, None, None, 2).weight
    expected = clean.double().softmax(dim=1).amax(dim=1)
    assert torch.allclose(weight[:, 0].double(), expected, rtol=1e-6)
    out = noisy_topk(torch.zeros_like(raw), raw, torch.ones_like(raw), 1)
    scale = torch.logaddexp(raw.double(), zero.unsqueeze(1)) + 0.01
    assert torch.allclose(out.logits.double(), scale, rtol=1e-6)
    # Noise of zero: the score of the other expert is the threshold.
    out = noisy_topk(clean, torch.zeros_like(raw), torch.zeros_like(raw), 1)
    z = (clean[:, 0] - clean[:, 1]).double() / (math.log(2) + 0.01)
    expected = torch.special.ndtr(z)
    assert torch.allclose(out.load[:, 0].double(), expected, atol=5e-7)
    tail = z.abs() < 5
    assert torch.allclose(
        out.load[tail, 0].double(), expected[tail], rtol=1e-5
    )


@pytest.mark.parametrize('eager', [True, False])
@pytest.mark.parametrize('n', [2, 8, 100])
def test_ties_and_non_finite_scores(n, eager):
    clean = torch.zeros(5, n)
    clean[1, 1] = -0.0
    clean[2, 1] = torch.nan
    clean[3, 1] = torch.inf
    clean[4, 0] = -torch.inf
    if eager:
        with eager_ops():
            expert = noisy_topk(clean, None, None, 1).expert
    else:
        expert = noisy_topk(clean, None, None, 1).expert
    assert expert.flatten().tolist() == [0, 0, 1, 1, 1]


@native
def test_all_nan_selects_distinct_experts():
    clean = torch.full((3, 20), torch.nan)
    out = noisy_topk(clean, clean, clean, 4)
    assert out.expert.tolist() == [[0, 1, 2, 3]] * 3
    assert out.weight.isnan().all()
    assert out.load.isnan().all()


@pytest.mark.parametrize('noisy', [True, False])
def test_no_rows(noisy):
    case = make_case(4, 2, noisy=noisy, num_rows=0)
    weight, expert, logits, load = noisy_topk(*case)
    assert weight.shape == expert.shape == (0, 2)
    assert logits.shape == (0, 4)
    assert (load is None) != noisy
    assert all(g.shape == (0, 4) for g in run(case)[-2:] if noisy)


@native
@pytest.mark.parametrize('topk_first', [True, False])
@pytest.mark.parametrize('noisy', [True, False])
def test_non_contiguous(topk_first, noisy):
    case = make_case(5, 2, topk_first, noisy)
    expected = run(case)
    strided = [
        torch.stack([value, value], dim=2)
        .detach()[:, :, 0]
        .requires_grad_(value.requires_grad)
        if isinstance(value, torch.Tensor)
        else value
        for value in case
    ]
    assert strided[0].stride() == (10, 2)
    for a, b in zip(run(strided), expected):
        assert torch.equal(a, b)
    weight = noisy_topk(*case).weight
    grads = [
        torch.autograd.grad(weight, case[0], grad, retain_graph=True)[0]
        for grad in (weight.new_ones(2).expand(9, 2), torch.ones_like(weight))
    ]
    assert torch.equal(*grads)


@native
@pytest.mark.parametrize('kept', [[0], [2], [3], [0, 2], [2, 3]])
def test_gradients_of_some_outputs(kept):
    case = make_case(6, 3)
    grads = []
    for function in (noisy_topk, slow_noisy_topk):
        out = function(*case)
        total = sum(out[index].pow(3).sum() for index in kept)
        grads.append(torch.autograd.grad(total, case[:2]))
    for a, b in zip(*grads):
        assert torch.allclose(a, b, rtol=1e-9, atol=1e-12)


@native
@pytest.mark.parametrize('topk_first', [True, False])
@pytest.mark.parametrize('noisy', [True, False])
@pytest.mark.parametrize('top_k', [1, 3, 4])
def test_gradcheck_and_opcheck(top_k, topk_first, noisy):
    case = make_case(4, top_k, topk_first, noisy)

    def function(*leaves):
        out = noisy_topk(*leaves, *case[len(leaves) :])
        return out.weight, out.logits, *([out.load] if noisy else [])

    leaves = [value for value in case[:2] if value is not None]
    assert torch.autograd.gradcheck(function, leaves)
    torch.library.opcheck(torch.ops.gmoe.noisy_topk.default, case)


@native
def test_same_bits_for_every_thread_count():
    case = cast(make_case(8, 4, num_rows=3000), torch.float32)
    before = torch.get_num_threads()
    try:
        results = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            results.append(run(case))
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        for a, b in zip(results[0], other):
            assert torch.equal(a, b)


@native
def test_tiny_gradients_are_zero():
    # Nine standard deviations and more below the threshold.
    clean = torch.tensor([[0.0, 0.0, -9.0]]).requires_grad_()
    raw = torch.full((1, 3), -8.0).requires_grad_()
    out = noisy_topk(clean, raw, torch.zeros(1, 3), 1)
    grads = torch.autograd.grad(out.load.sum(), [clean, raw])
    for grad in grads:
        assert ((grad == 0) | (grad.abs() > 1e-30)).all()
        assert grad[0, 2] == 0


@native
def test_second_derivative_is_refused():
    case = make_case(5, 2)
    total = noisy_topk(*case).weight.square().sum()
    (grad,) = torch.autograd.grad(total, case[0], create_graph=True)
    with pytest.raises(NotImplementedError, match='no second derivative'):
        grad.sum().backward()
    with eager_ops():
        total = noisy_topk(*case).weight.square().sum()
        (grad,) = torch.autograd.grad(total, case[0], create_graph=True)
        grad.sum().backward()
    assert case[0].grad.isfinite().all()


@native
def test_refused_arguments():
    clean, raw, noise, *_ = make_case(4, 2)
    for arguments, message in (
        ((clean[0], None, None, 2), "'clean' must have 2 dimensions"),
        ((clean, None, None, 5), "'top_k' must be from 1"),
        ((clean, None, None, 0), "'top_k' must be from 1"),
        ((clean, raw[1:], noise, 2), "'raw' must have shape"),
        (
            (clean, raw, noise.float(), 2),
            "'noise' must be float64, got float32",
        ),
        ((clean.long(), None, None, 2), "'clean' must be float32"),
    ):
        with pytest.raises((RuntimeError, ValueError), match=message):
            noisy_topk(*arguments)


every_type = pytest.mark.parametrize(
    ('dtype', 'tolerance'),
    [
        (torch.float64, 1e-11),
        (torch.float32, 1e-4),
        (torch.bfloat16, 3e-2),
        (torch.float16, 4e-3),
    ],
)


def assert_like(case, expected, tolerance):
    """The gate gives what is expected, and the same bits again."""
    results = run(case)
    assert_same_bits(run(case), results)
    expected = list(expected)
    if case[0].dtype != torch.float64:
        # Scores that are nearly equal may change their order.
        same = results.pop(1).cpu() == expected.pop(1)
        assert same.double().mean() > 0.98
    assert_near(results, expected, tolerance)


@pytest.mark.parametrize(
    ('n', 'top_k'),
    [(1, 1), (3, 2), (8, 4), (8, 8), (33, 5), (100, 1), (256, 9)],
)
@every_type
def test_each_device(fused_device, dtype, tolerance, n, top_k):
    for topk_first, noisy in product((True, False), repeat=2):
        case = cast(make_case(n, top_k, topk_first, noisy, 301, n), dtype)
        with eager_ops():
            expected = run(cast(case, torch.float64))
        assert_like(move(case, fused_device), expected, tolerance)


@every_type
def test_more_experts_than_the_op_for_cuda_serves(
    fused_device, dtype, tolerance
):
    for topk_first, noisy in product((True, False), repeat=2):
        n = MAX_CUDA_EXPERTS + 44
        case = cast(make_case(n, 4, topk_first, noisy, 301, n), dtype)
        # There, the eager version serves, which rounds as it does here.
        expected = run(case)
        assert_like(move(case, fused_device), expected, tolerance)
        if dtype == torch.float64:
            with eager_ops():
                assert_like(case, expected, tolerance)


@pytest.mark.skipif(not CUDA_AVAILABLE, reason='no fused ops for CUDA here')
def test_router_and_dropout_in_a_cuda_graph():
    clean, raw, noise, *_ = move(
        cast(make_case(8, 3, num_rows=1000), torch.float32), 'cuda'
    )
    x = torch.rand(1000, 7, device='cuda').add_(1).requires_grad_()

    def step():
        """The gate, the grouping of its slots, and dropout."""
        gate = noisy_topk(clean, raw, noise, 3)
        ptr = torch.arange(0, 3001, 3, device='cuda')
        slots = group_by_expert(
            gate.weight.flatten(), gate.expert.flatten(), ptr, 8
        )
        dropped = relu_dropout(x, 0.5)
        total = slots.weight * torch.arange(3000, device='cuda')
        total = total.sum() + gate.load.square().sum() + dropped.sum()
        grads = torch.autograd.grad(total, [clean, raw, x])
        return [*slots, *grads[:2]], dropped, grads[2]

    graph, (routed, dropped, grad) = capture(step)
    with torch.no_grad():
        clean.mul_(-0.5)  # Other experts for each node.
        noise.neg_()
    masks = []
    for _ in range(2):
        graph.replay()
        masks.append(dropped > 0)
        assert torch.equal(dropped, torch.where(masks[-1], 2 * x, 0))
        assert torch.equal(grad, 2.0 * masks[-1])
        share = masks[-1].double().mean()
        assert abs(float(share) - 0.5) < 0.05
    assert not torch.equal(*masks)
    results = [value.detach().clone() for value in routed]
    assert_same_bits(results, step()[0])
