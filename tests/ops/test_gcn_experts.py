"""The fused graph convolutions against one loop per slot and edge."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gmoe.ops import AVAILABLE, MessageHop, eager_ops
from tests.ops.gcn_case import GCNCase, make_gcn, op_arguments
from tests.ops.message_case import (
    TWO_HOPS,
    HopSpec,
    Recorder,
    assert_close,
    for_thread_counts,
    run,
    strided,
)

native = pytest.mark.skipif(not AVAILABLE, reason='no fused ops built')


def assert_like_loop(case, **kwargs):
    exact = case.to(torch.float64)
    expected = run(exact.slow, exact.leaves())
    results = run(case, case.leaves())
    assert results[0].shape == expected[0].shape
    assert_close(results, expected, **kwargs)
    with eager_ops():
        assert_close(run(case, case.leaves()), expected, **kwargs)


def served(function):
    """The function's result, and the masks' sizes if the fused op ran."""
    with Recorder('gcn_experts') as recorder:
        out = function()
    return out, recorder.rows


@pytest.mark.parametrize('num_tables', [0, 1, 2])
@pytest.mark.parametrize(
    'shared', [(True, True), (True, False), (False, True), (False, False)]
)
@pytest.mark.parametrize('weighted', [True, False])
def test_one_hop(num_tables, shared, weighted):
    spec = HopSpec(3, 12, (4, 3)[:num_tables], shared)
    assert_like_loop(make_gcn([spec], weighted=weighted))


def test_two_hops():
    assert_like_loop(make_gcn())


@pytest.mark.parametrize('channels', [1, 31, 32, 33, 63, 64, 65, 150])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_channels(channels, dtype):
    case = make_gcn(channels=channels).to(dtype)
    precise = dtype == torch.float64
    assert_like_loop(case, **({} if precise else {'rtol': 1e-4, 'atol': 1e-4}))


@pytest.mark.parametrize('in_channels', [1, 2, 70])
def test_in_channels(in_channels):
    assert_like_loop(make_gcn(in_channels=in_channels))


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 7),
    st.integers(0, 30),
    st.integers(0, 20),
    st.integers(0, 2**31),
)
def test_random_cases(num_nodes, num_slots, num_edges, seed):
    num_edges = num_edges if num_nodes else 0
    specs = [spec._replace(num_edges=num_edges) for spec in TWO_HOPS]
    assert_like_loop(
        make_gcn(specs, num_nodes, num_slots=num_slots, seed=seed)
    )


def test_needed_rows_are_nearly_all_few_and_none():
    # Expert 0 needs 19 of 20 rows, expert 1 exactly 16, which is not more
    # than four fifths, expert 2 needs 17, expert 3 one, expert 4 none.
    ring = torch.arange(20)
    hop = MessageHop(
        5,
        torch.arange(21),
        (ring + 1) % 20,
        [torch.randn(5, 3, 5).double()],
        [ring % 3],
        torch.rand(20).double(),
        torch.rand(20).double(),
    )
    hop.source[19] = 19  # The last node looks at itself.
    nodes = [range(18), range(15), range(16), [19], []]
    node = torch.tensor([i for part in nodes for i in part])
    sizes = torch.tensor([len(part) for part in nodes])
    expert = torch.arange(5).repeat_interleave(sizes)
    case = make_gcn([HopSpec(5, 0)], 20)
    message = replace(case.message, hops=[hop], node=node, expert=expert)
    needed = [set(part) | {int(hop.source[i]) for i in part} for part in nodes]
    assert [len(part) for part in needed] == [19, 16, 17, 1, 0]
    case = replace(case, message=message).to(torch.float64)
    assert_like_loop(case)
    grads = run(case, case.leaves())
    assert grads[1][19].abs().sum() > 0
    assert grads[2][4].abs().sum() == 0


@pytest.mark.parametrize('order', [[0, 1], [1, 0]])
def test_dense_and_sparse_experts_in_either_order(order):
    # The buffer of one expert is used by the next.
    case = make_gcn([HopSpec(1, 40), HopSpec(1, 40)], 30)
    slots = {0: torch.arange(30), 1: torch.tensor([2, 17])}
    node = torch.cat([slots[o] for o in order])
    sizes = torch.tensor([slots[o].numel() for o in order])
    expert = torch.arange(2).repeat_interleave(sizes)
    message = replace(case.message, node=node, expert=expert)
    assert_like_loop(replace(case, message=message))


def test_large_tables_and_a_hub():
    specs = [HopSpec(2, 900, (600,)), HopSpec(1, 700, (3, 700))]
    case = make_gcn(specs, num_slots=10)
    hops = list(case.message.hops)
    hops[0] = hops[0]._replace(
        ptr=torch.tensor([0, 0, 880, 900, 900, 900, 900])
    )
    pairs = torch.tensor([[1, 0], [2, 0], [1, 1], [0, 2], [1, 2], [3, 2]])
    node, expert = pairs.t().contiguous()
    message = replace(case.message, hops=hops, node=node, expert=expert)
    assert_like_loop(replace(case, message=message), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize('num_experts', [64, 256])
def test_many_experts(num_experts):
    half = num_experts // 2
    specs = [HopSpec(half, 60, (4,)), HopSpec(half, 90, (3,))]
    assert_like_loop(make_gcn(specs, 30, num_slots=60))


def test_nothing():
    assert_like_loop(make_gcn(num_slots=0))
    assert_like_loop(make_gcn([HopSpec(2, 0)]))
    assert_like_loop(make_gcn([HopSpec(2, 0), HopSpec(1, 0)], num_nodes=0))


@pytest.mark.parametrize('k', [1, 2, 5])
def test_fixed_number_of_slots(k):
    case = make_gcn()
    slot = [(i, o) for o in range(5) for i in range(6) if (o - i) % 5 < k]
    node, expert = torch.tensor(slot).t().contiguous()
    case = replace(
        case, message=replace(case.message, node=node, expert=expert)
    )
    exact = case.to(torch.float64)
    expected = run(exact.slow, exact.leaves())
    assert_close(run(lambda: case(k), case.leaves()), expected)
    with eager_ops():
        assert_close(run(lambda: case(k), case.leaves()), expected)


@native
def test_when_the_fused_op_serves():
    case = make_gcn(channels=40)
    out, masks = served(case)
    assert len(masks) == 1
    assert masks[0] >= case.message.num_messages
    with torch.no_grad():
        quiet, masks = served(case)
    assert torch.equal(quiet, out)
    assert masks == [0]
    constant, masks = served(case.map(lambda value: value.detach()))
    assert torch.equal(constant, out)
    assert masks == [0]
    assert served(case.to(torch.bfloat16))[1] == []
    with eager_ops():
        assert served(case)[1] == []
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert served(case.to(torch.float32))[1] == []


@pytest.mark.parametrize('name', ['edge_weight', 'root_weight'])
def test_weights_that_need_a_gradient(name):
    case = make_gcn()
    leaves = [getattr(hop, name).requires_grad_() for hop in case.message.hops]
    expected = run(case.slow, leaves)
    assert_close(run(case, leaves), expected)
    assert expected[1].abs().sum() > 0


@pytest.mark.parametrize('index', range(4))
def test_gradient_of_one_input_only(index):
    case = make_gcn().map(lambda value: value.detach())
    leaf = case.leaves()[index].requires_grad_()
    assert_close(run(case, [leaf]), run(case.slow, [leaf]))


@native
@pytest.mark.parametrize(
    ('dtype', 'tolerance'), [(torch.bfloat16, 0.05), (torch.float16, 0.01)]
)
def test_low_precision(dtype, tolerance):
    case = make_gcn(channels=40).to(dtype)
    exact = case.to(torch.float64)
    results = run(case, case.leaves())
    for a, b in zip(results, run(exact.slow, exact.leaves())):
        assert a.dtype == dtype
        assert (a.double() - b).abs().max() < tolerance * b.abs().max()


@native
@pytest.mark.parametrize('num_slots', [None, 4])
def test_int32_indices(num_slots):
    case = make_gcn([*TWO_HOPS, HopSpec(1, 9, (600,))], num_slots=num_slots)

    def narrow(value):
        return value if value.is_floating_point() else value.int()

    wide = run(case, case.leaves())
    for a, b in zip(run(case.map(narrow), case.leaves()), wide):
        assert torch.equal(a, b)


def test_non_contiguous():
    case = make_gcn()
    other = case.map(strided)
    for a, b in zip(run(other, other.leaves()), run(case, case.leaves())):
        assert torch.allclose(a, b, rtol=1e-13)


@native
def test_same_bits_for_every_thread_count():
    # Small integers make the products exact in any order of their sums; the
    # rest is not.
    specs = [
        HopSpec(1, 4000, (8, 700), (False, True)),
        HopSpec(2, 3000, (600,)),
    ]
    case = make_gcn(specs, 3000, 40, num_slots=3500).to(torch.float32)
    with torch.no_grad():
        case.x.copy_(case.x.round())
        case.weight.copy_(case.weight.round())
    assert int(case.message.expert.bincount().max()) > 1024
    results = for_thread_counts(lambda: run(case, case.leaves()))
    names = ['out', 'x', 'weight', 'bias', 'root', 'table', 'table', 'table']
    for other in results[1:]:
        for name, a, b in zip(names, results[0], other):
            if name in ('x', 'weight'):
                assert torch.allclose(a, b, rtol=1e-4, atol=1e-4)
            else:
                assert torch.equal(a, b)


@native
@pytest.mark.parametrize('num_slots', [3, 20])
def test_opcheck(num_slots):
    case = make_gcn(channels=3, num_slots=num_slots)
    message = case.message
    torch.library.opcheck(
        torch.ops.gmoe.gcn_experts.default,
        op_arguments(case, message.num_messages),
    )
    out, mask = torch.ops.gmoe.gcn_experts(
        *op_arguments(case, message.num_messages)
    )
    torch.library.opcheck(
        torch.ops.gmoe.gcn_experts_backward.default,
        (
            out.detach(),
            mask,
            *op_arguments(case, message.num_messages)[:-1],
            True,
        ),
        test_utils=('test_schema', 'test_faketensor'),
    )


@native
def test_too_small_a_mask_is_refused():
    case = make_gcn()
    count = case.message.num_messages
    with pytest.raises(RuntimeError, match="'num_messages' must be 0 or from"):
        torch.ops.gmoe.gcn_experts(*op_arguments(case, count - 1))
    out, _ = torch.ops.gmoe.gcn_experts(*op_arguments(case, 0))
    with pytest.raises(RuntimeError, match="'mask' must have a row"):
        out.sum().backward()


@native
def test_wrong_inputs_are_refused():
    case = make_gcn()
    root = case.message.root
    with pytest.raises(RuntimeError, match="'weight' must have shape"):
        replace(case, weight=case.weight[:, 1:])()
    arguments = list(op_arguments(case, 0))
    arguments[2] = root[:, 1:].contiguous()
    with pytest.raises(RuntimeError, match="'root' must have shape"):
        torch.ops.gmoe.gcn_experts(*arguments)
    arguments[2] = root
    arguments[0] = case.x.bfloat16()
    with pytest.raises(RuntimeError, match='must be float32 or float64'):
        torch.ops.gmoe.gcn_experts(*arguments)


@pytest.mark.parametrize('num_slots', [4, 15])
def test_gradcheck(num_slots):
    case = make_gcn(channels=2, in_channels=2, num_slots=num_slots)

    def function(x, weight, bias, root, first, second, third):
        one, two = case.message.hops
        hops = [
            one._replace(tables=[first]),
            two._replace(tables=[second, third]),
        ]
        message = replace(case.message, root=root, hops=hops)
        return GCNCase(x, weight, bias, message)()

    assert torch.autograd.gradcheck(function, case.leaves())


@native
def test_second_derivative_is_refused():
    case = make_gcn()
    out = case().square().sum()
    (grad,) = torch.autograd.grad(out, case.x, create_graph=True)
    with pytest.raises(NotImplementedError, match='no second derivative'):
        grad.sum().backward()


@native
@pytest.mark.parametrize('special', [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize('where', ['root', 'table'])
def test_nan_and_infinity_as_by_relu(special, where):
    case = make_gcn(channels=35).to(torch.float32)
    message = case.message
    target = message.root if where == 'root' else message.hops[1].tables[0]
    with torch.no_grad():
        target.flatten()[::3] = special
    fused = run(case, case.leaves())
    with eager_ops():
        eager = run(case, case.leaves())
    assert_close(fused, eager, 1e-4, 1e-4)
    if special == -torch.inf:
        assert all(result.isfinite().all() for result in fused)
    else:
        assert not fused[0].isfinite().all()
