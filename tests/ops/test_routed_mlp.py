"""Experts of few rows against a loop over slots."""

import sys

import pytest
import torch
from torch.nn import functional

from gmoe.ops import AVAILABLE, eager_ops, routed_mlp
from gmoe.ops.routed_mlp import ACTIVATIONS
from tests.ops.message_case import (
    Recorder,
    assert_close,
    for_thread_counts,
    run,
)

pytestmark = pytest.mark.skipif(not AVAILABLE, reason='no fused ops built')

FUNCTIONS = {
    'relu': functional.relu,
    'gelu': functional.gelu,
    'tanh': torch.tanh,
    'silu': functional.silu,
}


def make(counts=(2, 0, 3, 1), channels=(5, 6, 4), experts=3, dtype=None):
    """Nodes with the given numbers of slots, in random experts."""
    generator = torch.Generator().manual_seed(0)
    size_in, hidden, size_out = channels

    def draw(*shape):
        value = torch.randn(
            shape, generator=generator, dtype=dtype or torch.float64
        )
        return value.requires_grad_()

    tensors = [
        draw(len(counts), size_in),
        draw(experts, hidden, size_in),
        draw(experts, hidden),
        draw(experts, hidden, size_out),
        draw(experts, size_out),
        draw(sum(counts)),
    ]
    ptr = torch.tensor([0, *counts]).cumsum(0)
    expert = torch.randint(experts, (sum(counts),), generator=generator)
    return tensors, expert, ptr


def slow(tensors, expert, ptr, activation='relu'):
    x, weight1, bias1, weight2, bias2, gate = tensors
    rows = []
    for i in range(x.size(0)):
        row = x.new_zeros(weight2.size(2))
        for s in range(int(ptr[i]), int(ptr[i + 1])):
            o = int(expert[s])
            h = FUNCTIONS[activation](weight1[o] @ x[i] + bias1[o])
            row = row + gate[s] * (h @ weight2[o] + bias2[o])
        rows.append(row)
    return torch.stack(rows) if rows else x.new_zeros(0, weight2.size(2))


def assert_like_loop(case, activation='relu', tolerance=1e-10):
    tensors, *indices = case
    exact = [t.detach().double().requires_grad_() for t in tensors]
    results = run(lambda: routed_mlp(*tensors, *indices, activation), tensors)
    expected = run(lambda: slow(exact, *indices, activation), exact)
    assert_close(results, expected, tolerance, tolerance)


@pytest.mark.parametrize('activation', ACTIVATIONS)
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_activations(activation, dtype):
    tolerance = 1e-10 if dtype == torch.float64 else 1e-5
    assert_like_loop(make(dtype=dtype), activation, tolerance)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize(
    'channels', [(1, 1, 1), (16, 16, 16), (17, 33, 65), (70, 5, 130)]
)
def test_channels(channels, dtype):
    tolerance = 1e-10 if dtype == torch.float64 else 1e-4
    assert_like_loop(make(channels=channels, dtype=dtype), 'relu', tolerance)


@pytest.mark.parametrize('num_rows', range(10))
def test_rows_of_one_expert(num_rows):
    assert_like_loop(make((1,) * num_rows, (19, 7, 9), experts=1))


@pytest.mark.parametrize('counts', [(), (0,), (0, 0, 0), (5, 0)])
def test_few_slots(counts):
    assert_like_loop(make(counts, experts=4))


def test_experts_without_rows_have_no_gradient():
    tensors, expert, ptr = make((1, 1), experts=3)
    expert = torch.ones_like(expert)
    for grad in run(lambda: routed_mlp(*tensors, expert, ptr), tensors)[2:6]:
        assert grad[1].abs().sum() > 0
        assert grad[[0, 2]].abs().sum() == 0


@pytest.mark.parametrize('index', range(6))
def test_gradient_of_one_input_only(index):
    tensors, *indices = make()
    tensors = [t.detach() for t in tensors]
    leaf = tensors[index].requires_grad_()
    results = run(lambda: routed_mlp(*tensors, *indices), [leaf])
    assert_close(results, run(lambda: slow(tensors, *indices), [leaf]))


@pytest.mark.parametrize('activation', ACTIVATIONS)
def test_gradcheck(activation):
    tensors, *indices = make()
    assert torch.autograd.gradcheck(
        lambda *t: routed_mlp(*t, *indices, activation), tensors
    )


def test_opcheck():
    tensors, *indices = make()
    op = torch.ops.gmoe
    torch.library.opcheck(op.routed_mlp.default, (*tensors, *indices, 0))
    x, weight1, _, weight2, bias2, gate = [t.detach() for t in tensors]
    with torch.no_grad():
        out, hidden = op.routed_mlp(*tensors, *indices, 0)
    for needs_x in (True, False):
        torch.library.opcheck(
            op.routed_mlp_backward.default,
            (
                *(out, x, hidden, weight1, weight2, bias2, gate),
                *(*indices, 0, needs_x),
            ),
            test_utils=('test_schema', 'test_faketensor'),
        )


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_thread_counts(dtype):
    tensors, *indices = make((2,) * 40, (150, 70, 300), 4, dtype)
    results = for_thread_counts(
        lambda: run(lambda: routed_mlp(*tensors, *indices), tensors)
    )
    for other in results[1:]:
        for a, b in zip(results[0], other):
            assert torch.equal(a, b)


def test_non_contiguous():
    tensors, expert, ptr = make()
    other = [t.detach().mT.contiguous().mT for t in tensors[:5]]
    other = [t.requires_grad_() for t in (*other, tensors[5].detach())]
    results = run(lambda: routed_mlp(*other, expert, ptr), other)
    expected = run(lambda: routed_mlp(*tensors, expert, ptr), tensors)
    for a, b in zip(results, expected):
        assert torch.equal(a, b)


def test_bad_indices():
    tensors, expert, ptr = make()
    for wrong in (expert + 3, expert - 3):
        with pytest.raises(
            RuntimeError, match="'expert' must hold values from 0 to 2"
        ):
            routed_mlp(*tensors, wrong, ptr)
    with pytest.raises(
        RuntimeError, match="'ptr' must begin with 0 and end with 6"
    ):
        routed_mlp(*tensors, expert, ptr.flip(0))


def test_second_derivative():
    tensors, *indices = make()
    out = routed_mlp(*tensors, *indices)
    (grad,) = torch.autograd.grad(out.sum(), tensors[0], create_graph=True)
    with pytest.raises(NotImplementedError, match='no second derivative'):
        grad.sum().backward()


# The name of the module is that of its function in the package.
MODULE = sys.modules['gmoe.ops.routed_mlp']


@pytest.mark.parametrize('activation', ACTIVATIONS)
@pytest.mark.parametrize('slots_per_node', [None, 2])
@pytest.mark.parametrize('path', ['grouped', 'dense'])
def test_where_the_fused_op_does_not_serve(
    path, slots_per_node, activation, monkeypatch
):
    counts = (2, 2, 2) if slots_per_node else (2, 0, 3)
    tensors, *indices = make(counts, (8, 12, 4), dtype=torch.float32)
    monkeypatch.setattr(MODULE, 'MAX_ROWS', 1)
    if path == 'dense':
        monkeypatch.setattr(MODULE, '_grouped_mm', None)
    with Recorder('routed_mlp') as recorder:
        results = run(
            lambda: routed_mlp(*tensors, *indices, activation, slots_per_node),
            tensors,
        )
    assert recorder.rows == []
    exact = [t.detach().double().requires_grad_() for t in tensors]
    expected = run(lambda: slow(exact, *indices, activation), exact)
    assert_close(results, expected, 1e-5, 1e-5)


def test_compiled_code_is_of_plain_operators():
    tensors, *indices = make(channels=(8, 12, 4), dtype=torch.float32)
    graphs = []

    def keep(graph, inputs):
        graphs.append(graph)
        return graph

    compiled = torch.compile(routed_mlp, backend=keep, fullgraph=True)
    out = compiled(*tensors, *indices)
    assert_close([out], [slow(tensors, *indices)], 1e-5, 1e-5)
    assert 'gmoe' not in graphs[0].code


def test_every_type_has_a_result():
    tensors, *indices = make(channels=(8, 12, 4), dtype=torch.float32)
    expected = slow(tensors, *indices)
    with eager_ops():
        assert_close([routed_mlp(*tensors, *indices)], [expected], 1e-5, 1e-5)
    mixed = routed_mlp(*tensors[:5], tensors[5].double(), *indices)
    assert_close([mixed], [expected], 1e-5, 1e-5)
    for dtype in (torch.bfloat16, torch.float16):
        half = routed_mlp(*[t.to(dtype) for t in tensors], *indices)
        assert half.dtype == dtype
        assert_close([half], [expected], 0.1, 0.1)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert routed_mlp(*tensors, *indices).dtype == torch.bfloat16


def test_wrong_inputs_are_refused_without_the_fused_op():
    tensors, expert, ptr = make(dtype=torch.float32)
    with pytest.raises(ValueError, match=r"'activation' must be one of \['g"):
        routed_mlp(*tensors, expert, ptr, 'sigmoid')
    with eager_ops():
        for wrong in (expert + 3, expert - 3):
            with pytest.raises(ValueError, match="'expert' must hold values"):
                routed_mlp(*tensors, wrong, ptr)
        with pytest.raises(ValueError, match="'ptr' must begin with 0"):
            routed_mlp(*tensors, expert, ptr.flip(0))
        with pytest.raises(ValueError, match="'ptr' must have shape"):
            routed_mlp(*tensors, expert, ptr[1:])
        with pytest.raises(ValueError, match="'gate' must have shape"):
            routed_mlp(*tensors[:5], tensors[5][1:], expert, ptr)
