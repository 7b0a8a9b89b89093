"""Normalisation and weighted sum against plain loops and PyTorch's own."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gmoe.ops import AVAILABLE, eager_ops, norm_combine
from tests.devices import assert_near, assert_same_bits, move
from tests.ops.message_case import (
    assert_close,
    for_thread_counts,
    run,
    strided,
)
from tests.ops.norm_case import EPS, make_norm

pytestmark = pytest.mark.skipif(not AVAILABLE, reason='no fused ops built')


def assert_like_loop(case, **kwargs):
    exact = case.to(torch.float64)
    expected = run(lambda: exact.slow()[0], exact.leaves())
    results = run(case.out, case.leaves())
    assert results[0].shape == (case.num_nodes, case.h.size(1))
    assert_close(results, expected, **kwargs)
    assert_close(case()[1:], exact.slow()[1:], **kwargs)
    by_torch = run(exact.torch_norm, exact.leaves())
    assert_close(results, by_torch, **(kwargs or {'rtol': 1e-9, 'atol': 1e-9}))


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('channels', [1, 31, 32, 33, 63, 64, 65, 150])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_channels(training, channels, dtype):
    case = make_norm(channels=channels, training=training).to(dtype)
    precise = dtype == torch.float64
    # Three rows of an expert may have a small variance.
    assert_like_loop(case, **({} if precise else {'rtol': 1e-3, 'atol': 2e-4}))


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize(
    'sizes', [(1,), (0, 1, 5), (1, 0, 2), (3, 0, 1), (0, 0), (1, 1, 1)]
)
def test_experts_with_few_rows(training, sizes):
    case = make_norm(sizes, training=training)
    assert_like_loop(case)
    _, mean, var = case()
    few = torch.tensor(sizes) < 2
    if not training:
        few = torch.ones_like(few)
    assert torch.equal(mean[few], case.running_mean[few])
    assert torch.equal(var[few], case.running_var[few])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=5),
    st.integers(6, 9),
    st.booleans(),
    st.integers(0, 2**31),
)
def test_random_cases(sizes, num_nodes, training, seed):
    # Two rows that are nearly the same have large derivatives.
    assert_like_loop(
        make_norm(sizes, num_nodes, training=training, seed=seed),
        rtol=1e-6,
        atol=1e-6,
    )


@pytest.mark.parametrize('size', [255, 256, 257, 700])
def test_rows_are_summed_in_parts(size):
    case = make_norm((3, size), num_nodes=800)
    assert_like_loop(case, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize('num_experts', [64, 256])
def test_many_experts(num_experts):
    sizes = [(7 * o) % 4 for o in range(num_experts)]
    assert_like_loop(make_norm(sizes), rtol=1e-7, atol=1e-7)


def test_a_node_with_many_slots_and_nodes_without():
    case = make_norm([9] * 40, num_nodes=9)
    case = replace(case, num_nodes=12)
    assert_like_loop(case, rtol=1e-9, atol=1e-9)
    assert case.out()[9:].abs().sum() == 0


def test_nothing():
    assert_like_loop(make_norm((0, 0), num_nodes=0))
    case = make_norm((0, 0), num_nodes=3)
    assert_like_loop(case)
    assert torch.equal(case.out(), torch.zeros(3, 5).double())


@pytest.mark.parametrize('size', [300, 3000])
def test_large_mean_with_small_variance(size):
    case = make_norm((size, 5), num_nodes=size, channels=7)
    with torch.no_grad():
        case.h.add_(1e4)
    case = case.to(torch.float32)
    exact = case.to(torch.float64)
    # The input itself is known to half a unit in its last place, 5e-4.
    _, mean, var = case()
    _, exact_mean, exact_var = exact()
    assert_close([mean], [exact_mean], 0, 5e-3)
    assert_close([var], [exact_var], 3e-4, 0)
    results = run(case.out, case.leaves())
    expected = run(exact.out, exact.leaves())
    by_torch = run(case.torch_norm, case.leaves())
    for mine, theirs, exactly in zip(results, by_torch, expected):
        error = (mine.double() - exactly).abs().max()
        other = (theirs.double() - exactly).abs().max()
        assert error <= 1.5 * other + 1e-4
        assert error <= 5e-3 * exactly.abs().max()


@pytest.mark.parametrize(
    ('dtype', 'tolerance'), [(torch.bfloat16, 1e-2), (torch.float16, 1e-3)]
)
@pytest.mark.parametrize('training', [True, False])
def test_low_precision(dtype, tolerance, training):
    # One rounding of each result: statistics and sums are made in float32.
    case = make_norm((300, 9), 300, 37, training).to(dtype)
    exact = case.to(torch.float64)
    results = run(case.out, case.leaves())
    expected = run(lambda: exact.slow()[0], exact.leaves())
    kinds = [dtype, dtype, torch.float32, dtype, dtype]
    for a, b, kind in zip(results, expected, kinds):
        assert a.dtype == kind
        assert_close([a], [b], tolerance, 3e-4 * float(b.abs().max()))
    _, mean, var = case()
    assert mean.dtype == var.dtype == torch.float32
    assert_close([mean, var], exact.slow()[1:], 1e-4, 1e-5)


@pytest.mark.parametrize('training', [True, False])
def test_gradcheck(training):
    case = make_norm((4, 1, 3), 5, 2, training)

    def function(h, weight, gamma, beta):
        return replace(case, h=h, weight=weight, gamma=gamma, beta=beta).out()

    assert torch.autograd.gradcheck(function, case.leaves())


@pytest.mark.parametrize('training', [True, False])
def test_opcheck(training):
    case = make_norm((4, 1, 3), training=training)
    arguments = case.arguments()
    torch.library.opcheck(torch.ops.gmoe.norm_combine.default, arguments)
    out, mean, var = case()
    torch.library.opcheck(
        torch.ops.gmoe.norm_combine_backward.default,
        (
            out.detach(),
            *(leaf.detach() for leaf in case.leaves()),
            *(mean, var, case.node, case.expert, training, EPS),
        ),
        test_utils=('test_schema', 'test_faketensor'),
    )


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
@pytest.mark.parametrize('training', [True, False])
def test_same_bits_for_every_thread_count(dtype, training):
    case = make_norm((2000, 1, 900), 2000, 40, training).to(dtype)
    results = for_thread_counts(
        lambda: [*run(case.out, case.leaves()), *case()]
    )
    for other in results[1:]:
        for a, b in zip(results[0], other):
            assert torch.equal(a, b)


def test_int32_indices():
    case = make_norm()
    narrow = replace(case, node=case.node.int(), expert=case.expert.int())
    wide = run(case.out, case.leaves())
    for a, b in zip(run(narrow.out, case.leaves()), wide):
        assert torch.equal(a, b)


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('other', [strided, lambda v: v.t().contiguous().t()])
def test_non_contiguous(training, other):
    case = make_norm((4, 1, 3), training=training)

    def change(value):
        return other(value) if value.dim() > 1 else strided(value)

    changed = case.map(change)
    assert not changed.running_mean.is_contiguous()
    results = run(changed.out, changed.leaves())
    for a, b in zip(results, run(case.out, case.leaves())):
        assert torch.equal(a, b)
    for a, b in zip(changed(), case()):
        assert torch.equal(a, b)


def test_running_statistics_stay_as_they_are():
    case = make_norm()
    before = case.map(lambda value: value.detach().clone())
    case.out().sum().backward()
    for value, was in zip(case.arguments(), before.arguments()):
        if isinstance(value, Tensor):
            assert torch.equal(value, was)
    _, mean, var = case()
    assert not mean.requires_grad
    assert not var.requires_grad


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('sizes', [(4, 7, 3), (1, 0, 5), (0, 0)])
def test_eager_version(training, sizes):
    case = make_norm(sizes, training=training)
    with eager_ops():
        assert_like_loop(case)
        for mine, exact in zip(case()[1:], case.slow()[1:]):
            assert mine.dtype == exact.dtype
            assert not mine.requires_grad


def test_eager_version_sums_in_the_order_by_node():
    case = make_norm((4, 4, 4), num_nodes=4)
    order = case.node.argsort(stable=True).argsort()
    with eager_ops():
        expected = run(case.out, case.leaves())
        arguments = (*case.arguments(), order, 3)
        results = run(lambda: norm_combine(*arguments)[0], case.leaves())
    assert_close(results, expected)


def test_statistics_in_another_type():
    case = make_norm()
    exact = run(case.out, case.leaves())
    narrow = replace(
        case,
        running_mean=case.running_mean.float(),
        running_var=case.running_var.float(),
    )
    results = run(narrow.out, case.leaves())
    assert_close(results, exact, 1e-5, 1e-5)
    half = replace(case.to(torch.float32), h=case.h.half())
    assert half()[0].dtype == torch.float16


def test_wrong_inputs_are_refused():
    case = make_norm()
    with pytest.raises(RuntimeError, match="'gamma' must have shape"):
        replace(case, gamma=case.gamma[:, 1:])()
    with pytest.raises(
        RuntimeError, match="'weight' must have shape .14., got"
    ):
        replace(case, weight=case.weight[1:])()
    falling = case.expert.flip(0)
    for name, change, said in (
        ('gamma', case.gamma[:, 1:], 'have shape'),
        ('weight', case.weight[1:], 'have shape'),
        ('expert', case.expert + 1, 'hold values from 0 to 2, got 3'),
        ('expert', falling, 'hold values that do not decrease, got 2'),
        ('node', case.node + 5, 'hold values from 0 to 8'),
    ):
        with (
            eager_ops(),
            pytest.raises(ValueError, match=f"'{name}' must {said}"),
        ):
            replace(case, **{name: change})()


def test_second_derivative_is_refused():
    case = make_norm()
    out = case.out().square().sum()
    (grad,) = torch.autograd.grad(out, case.h, create_graph=True)
    with pytest.raises(NotImplementedError, match='no second derivative'):
        grad.sum().backward()


@pytest.mark.parametrize('special', [torch.nan, torch.inf])
@pytest.mark.parametrize('training', [True, False])
def test_nan_and_infinity_stay_with_their_expert(special, training):
    case = make_norm((6, 6), num_nodes=6, training=training)
    with torch.no_grad():
        case.h[8, 2] = special
    results = run(case.out, case.leaves())
    by_torch = run(case.torch_norm, case.leaves())
    for a, b in zip(results, by_torch):
        assert torch.equal(a.isfinite(), b.isfinite())
    assert results[0][:, [0, 1, 3, 4]].isfinite().all()
    assert not results[0][:, 2].isfinite().all()
    assert results[1][:6].isfinite().all()
    assert results[1].isfinite().all() == (not training)


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('channels', [5, 64])
@pytest.mark.parametrize(
    ('dtype', 'tolerance'),
    [(torch.float64, 1e-10), (torch.float32, 1e-4), (torch.bfloat16, 3e-2)],
)
def test_each_device(fused_device, training, channels, dtype, tolerance):
    # Experts with many slots, one slot and none, nodes without a slot.
    case = make_norm((900, 1, 0, 200), 1000, channels, training).to(dtype)
    exact = case.to(torch.float64)
    expected = run(exact.torch_norm, exact.leaves()) + list(exact()[1:])
    case = case.map(lambda value: move(value, fused_device))

    def outcome():
        return run(case.out, case.leaves()) + list(case()[1:])

    results = outcome()
    assert_near(results, expected, tolerance)
    assert_same_bits(outcome(), results)
