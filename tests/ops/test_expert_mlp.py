"""The experts' networks against plain loops and the eager composition."""

import sys
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gmoe.ops import AVAILABLE, eager_ops
from tests.ops.message_case import (
    Recorder,
    assert_close,
    for_thread_counts,
    run,
    strided,
)
from tests.ops.mlp_case import EPS, make_mlp

pytestmark = pytest.mark.skipif(not AVAILABLE, reason='no fused ops built')


def assert_like_loop(case, rtol=1e-9, atol=1e-9):
    exact = case.to(torch.float64)
    expected = run(lambda: exact.slow()[0], exact.leaves())
    results = run(case.out, case.leaves())
    assert results[0].shape == expected[0].shape
    assert_close(results, expected, rtol, atol)
    assert_close(case()[1:], exact.slow()[1:], rtol, atol)
    assert_close(run(case.eager, case.leaves()), results, rtol, atol)


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('hidden', [1, 31, 32, 33, 63, 64, 65, 150])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_channels(training, hidden, dtype):
    case = make_mlp((9, 7), (4, hidden, 5), training).to(dtype)
    tolerance = 1e-9 if dtype == torch.float64 else 1e-3
    assert_like_loop(case, tolerance, tolerance)


@pytest.mark.parametrize('channels', [(1, 1, 1), (33, 2, 1), (1, 5, 65)])
def test_outer_channels(channels):
    assert_like_loop(make_mlp(channels=channels))


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize(
    'sizes', [(1,), (0, 1, 5), (1, 0, 2), (3, 0, 1), (0, 0), (1, 1, 1)]
)
def test_experts_with_few_rows(training, sizes):
    case = make_mlp(sizes, training=training)
    assert_like_loop(case)
    _, mean, var = case()
    few = torch.tensor(sizes) < 2
    if not training:
        few = torch.ones_like(few)
    assert torch.equal(mean[few], case.running_mean[few])
    assert torch.equal(var[few], case.running_var[few])
    empty = torch.tensor(sizes) == 0
    for grad in run(case.out, case.leaves())[2:]:
        assert grad[empty].abs().sum() == 0


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=5),
    st.booleans(),
    st.integers(0, 2**31),
)
def test_random_cases(sizes, training, seed):
    # Two rows that are nearly the same have large derivatives.
    assert_like_loop(make_mlp(sizes, training=training, seed=seed), 1e-5, 1e-6)


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('size', [255, 256, 257, 700])
def test_rows_are_summed_in_parts(size, training):
    assert_like_loop(make_mlp((3, size), training=training))


@pytest.mark.parametrize('num_experts', [64, 256])
def test_many_experts(num_experts):
    sizes = [(7 * o) % 4 for o in range(num_experts)]
    assert_like_loop(make_mlp(sizes), 1e-5, 1e-6)


def test_large_mean_with_small_variance():
    case = make_mlp((600, 5))
    with torch.no_grad():
        case.bias1.add_(1e4)
        case.running_mean.add_(1e4)
    case = case.to(torch.float32)
    exact = case.to(torch.float64)
    results = run(case.out, case.leaves())
    expected = run(lambda: exact.slow()[0], exact.leaves())
    eager = run(case.eager, case.leaves())
    error = (results[0] - expected[0]).abs().max()
    assert error <= 5e-3 * expected[0].abs().max()
    assert error <= 1.5 * (eager[0] - expected[0]).abs().max() + 1e-3
    _, mean, var = case()
    assert_close([mean], [exact.slow()[1]], 0, 5e-3)
    # The rows between are rounded to units of 1e-3.
    assert_close([var], [exact.slow()[2]], 5e-3, 0)


@pytest.mark.parametrize('training', [True, False])
def test_gradcheck(training):
    case = make_mlp((4, 1, 3), (2, 3, 2), training)

    def function(x, weight1, bias1, gamma, beta, weight2, bias2):
        return replace(
            case,
            x=x,
            weight1=weight1,
            bias1=bias1,
            gamma=gamma,
            beta=beta,
            weight2=weight2,
            bias2=bias2,
        ).out()

    assert torch.autograd.gradcheck(function, case.leaves())


@pytest.mark.parametrize('training', [True, False])
def test_large_outcome_is_made_again(training, monkeypatch):
    case = make_mlp((9, 1, 0, 7), (4, 33, 5), training)
    kept = run(case.out, case.leaves())
    # The name of the module is that of its function in the package.
    module = sys.modules['gmoe.ops.expert_mlp']
    monkeypatch.setattr(module, 'MAX_HIDDEN', 0)
    for a, b in zip(run(case.out, case.leaves()), kept):
        assert torch.equal(a, b)
    assert_like_loop(case)


@pytest.mark.parametrize('training', [True, False])
def test_opcheck(training):
    case = make_mlp((4, 1, 0, 3), training=training)
    torch.library.opcheck(
        torch.ops.gmoe.expert_mlp.default, (*case.arguments(), True)
    )
    with torch.no_grad():
        torch.library.opcheck(
            torch.ops.gmoe.expert_mlp.default,
            (*case.map(torch.detach).arguments(), False),
        )
        out, hidden, mean, var = torch.ops.gmoe.expert_mlp(
            *case.arguments(), True
        )
    torch.library.opcheck(
        torch.ops.gmoe.expert_mlp_backward.default,
        (
            *(out, case.x.detach(), hidden, mean, var),
            *(case.weight1, case.bias1, case.gamma, case.beta),
            *(case.weight2, case.ptr),
            *(training, EPS),
        ),
        test_utils=('test_schema', 'test_faketensor'),
    )


@pytest.mark.parametrize('training', [True, False])
def test_thread_counts(training):
    # Small integers make the first product exact in any order of its sums,
    # and so the statistics and the sums over the output's gradient.
    case = make_mlp((2000, 1, 900), (8, 40, 12), training).to(torch.float32)
    with torch.no_grad():
        for value in (case.x, case.weight1, case.bias1):
            value.copy_(value.round())
    results = for_thread_counts(
        lambda: [*run(case.out, case.leaves()), *case()[1:]]
    )
    for other in results[1:]:
        for a, b in zip(results[0], other):
            assert torch.allclose(a, b, rtol=1e-4, atol=1e-3)
        for a, b in zip(results[0][7:], other[7:]):
            assert torch.equal(a, b)


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('other', [strided, lambda v: v.mT.contiguous().mT])
def test_non_contiguous(training, other):
    case = make_mlp((4, 1, 3), training=training)

    def change(value):
        return other(value) if value.dim() > 1 else strided(value)

    changed = case.map(change)
    assert not changed.running_mean.is_contiguous()
    results = run(changed.out, changed.leaves())
    for a, b in zip(results, run(case.out, case.leaves())):
        assert torch.equal(a, b)
    for a, b in zip(changed(), case()):
        assert torch.equal(a, b)


def test_incoming_gradient_of_one_number():
    case = make_mlp()
    exact = case.to(torch.float64)
    grads = torch.autograd.grad(case.out().sum(), case.leaves())
    expected = torch.autograd.grad(exact.slow()[0].sum(), exact.leaves())
    assert_close(grads, expected, 1e-9, 1e-9)


def test_nothing_is_kept_without_gradients():
    case = make_mlp()
    with Recorder('expert_mlp') as recorder:
        out = case.out()
        with torch.no_grad():
            quiet = case.out()
        constant = case.map(torch.detach).out()
    assert torch.equal(quiet, out)
    assert torch.equal(constant, out)
    assert recorder.rows == [14, 0, 0]
    with torch.no_grad():
        out, hidden, mean, var = torch.ops.gmoe.expert_mlp(
            *case.arguments(), True
        )
    with pytest.raises(RuntimeError, match="'hidden' must have 14 rows or no"):
        torch.ops.gmoe.expert_mlp_backward(
            *(out, case.x, hidden[:3], mean, var, case.weight1, case.bias1),
            *(case.gamma, case.beta, case.weight2, case.ptr, True, EPS),
        )


@pytest.mark.parametrize('index', range(7))
def test_gradient_of_one_input_only(index):
    case = make_mlp().map(torch.detach)
    leaf = case.leaves()[index].requires_grad_()
    results = run(case.out, [leaf])
    assert_close(results, run(lambda: case.slow()[0], [leaf]), 1e-9, 1e-9)


def test_running_statistics_stay_as_they_are():
    case = make_mlp()
    before = case.map(lambda value: value.detach().clone())
    case.out().sum().backward()
    for value, was in zip(case.arguments(), before.arguments()):
        if isinstance(value, Tensor):
            assert torch.equal(value, was)
    _, mean, var = case()
    assert not mean.requires_grad
    assert not var.requires_grad


@pytest.mark.parametrize('training', [True, False])
def test_three_ops_where_the_fused_one_does_not_serve(training):
    case = make_mlp((4, 1, 0, 3), training=training)
    expected = [*run(case.out, case.leaves()), *case()[1:]]
    with Recorder('expert_mlp') as recorder:
        with eager_ops():
            results = [*run(case.out, case.leaves()), *case()[1:]]
        assert_close(results, expected, 1e-9, 1e-9)
        mixed = replace(case, beta=case.beta.float())
        assert_close([mixed.out()], [expected[0]], 1e-5, 1e-5)
        for dtype in (torch.bfloat16, torch.float16):
            assert case.to(dtype).out().dtype == dtype
        with torch.autocast('cpu', dtype=torch.bfloat16):
            assert case.to(torch.float32).out().dtype == torch.bfloat16
    assert recorder.rows == []
    compiled = torch.compile(case.out, backend='aot_eager')
    assert_close([compiled()], [expected[0]], 1e-9, 1e-9)


def test_wrong_inputs_are_refused():
    case = make_mlp()
    with pytest.raises(RuntimeError, match="'weight2' must have shape"):
        replace(case, weight2=case.weight2[:, 1:])()
    with pytest.raises(RuntimeError, match="'gamma' must have shape"):
        replace(case, gamma=case.gamma[1:])()
    with pytest.raises(RuntimeError, match="'ptr' must begin with 0"):
        replace(case, ptr=case.ptr - 1)()
    with pytest.raises(RuntimeError, match="'ptr' must have shape"):
        replace(case, ptr=case.ptr[1:])()


def test_second_derivative_is_refused():
    case = make_mlp()
    out = case.out().square().sum()
    (grad,) = torch.autograd.grad(out, case.x, create_graph=True)
    with pytest.raises(NotImplementedError, match='no second derivative'):
        grad.sum().backward()


@pytest.mark.parametrize('special', [torch.nan, torch.inf])
@pytest.mark.parametrize('training', [True, False])
def test_nan_and_infinity_stay_with_their_expert(special, training):
    case = make_mlp((6, 6), training=training)
    with torch.no_grad():
        case.x[8, 2] = special
    results = run(case.out, case.leaves())
    expected = run(case.eager, case.leaves())
    for index, (a, b) in enumerate(zip(results, expected)):
        # The batch mean takes a bias away, whatever the rows are.
        if index == 3 and training:
            assert torch.equal(a, torch.zeros_like(b))
        else:
            assert torch.equal(a.isfinite(), b.isfinite())
    assert results[0][:6].isfinite().all()
    assert not results[0][8].isfinite().any()
    assert results[1].isfinite().all() == (not training)
