"""The fused message op against its eager version, and its limits."""

from dataclasses import replace

import pytest
import torch

from gmoe.ops import AVAILABLE, eager_ops
from gmoe.ops.hops import pack_hops
from tests.devices import assert_near, assert_same_bits, move
from tests.ops.message_case import (
    TWO_HOPS,
    HopSpec,
    Recorder,
    assert_close,
    for_thread_counts,
    make_case,
    run,
)

native = pytest.mark.skipif(not AVAILABLE, reason='no fused ops built')
ROWS = ('shared', 'own', 'interleaved')


def arguments(case, num_messages):
    """What the op is called with."""
    return (
        case.x,
        case.node,
        case.expert,
        *pack_hops(case.hops, case.x.dtype),
        case.row_of,
        case.root,
        case.self_scale,
        case.interleaved or case.row_of is not None,
        num_messages,
    )


def both(case):
    """The results of the fused op and of the eager version."""
    fused = run(case.message, case.leaves())
    with eager_ops():
        return fused, run(case.message, case.leaves())


@native
@pytest.mark.parametrize('rows', ROWS)
@pytest.mark.parametrize('num_tables', [0, 1, 2])
@pytest.mark.parametrize('weighted', [True, False])
@pytest.mark.parametrize('channels', [1, 5, 33, 150])
def test_equals_eager(rows, num_tables, weighted, channels):
    specs = [
        HopSpec(1, 60, (4, 3)[:num_tables], (False, True)),
        HopSpec(2, 90, (4, 600)[:num_tables], (True, False)),
    ]
    case = make_case(
        specs,
        20,
        channels,
        rows=rows,
        weighted=weighted,
        root=True,
        self_scale=rows == 'shared',
    )
    assert_close(*both(case))


@native
@pytest.mark.parametrize('rows', ROWS)
@pytest.mark.parametrize(
    ('dtype', 'tolerance'),
    [(torch.float32, 1e-5), (torch.bfloat16, 1e-2), (torch.float16, 1e-3)],
)
@pytest.mark.parametrize('channels', [37, 200])
def test_types(dtype, tolerance, rows, channels):
    # One rounding of each result: sums are made in float32 at least. For the
    # gradients of the edges' weights, the messages are rounded too.
    specs = [HopSpec(2, 700, (4, 3)), HopSpec(1, 60, (600,))]
    case = make_case(
        specs,
        20,
        channels,
        rows=rows,
        root=True,
        self_scale=rows == 'shared',
    ).to(dtype)
    exact = case.to(torch.float64)
    results = run(case.message, case.leaves())
    assert all(result.dtype == dtype for result in results)
    expected = run(exact.slow, exact.leaves())
    once = [1e-5] + [
        1e-5 if leaf.dim() > 1 or leaf is case.self_scale else tolerance
        for leaf in case.leaves()
    ]
    for a, b, share in zip(results, expected, once):
        assert_close([a], [b], tolerance, share * float(b.abs().max()))


@native
def test_mixed_types():
    case = make_case(root=True, self_scale=True)
    hops = case.to(torch.float32).hops
    mixed = replace(case.to(torch.bfloat16), hops=hops)
    out = mixed.message()
    assert out.dtype == torch.float32
    exact = mixed.to(torch.float64)
    results = run(mixed.message, mixed.leaves())
    for leaf, grad in zip(mixed.leaves(), results[1:]):
        assert grad.dtype == leaf.dtype
    assert_close(results, run(exact.slow, exact.leaves()), 1e-2, 1e-4)


@native
@pytest.mark.parametrize('rows', ROWS)
def test_int32_indices(rows):
    case = make_case([*TWO_HOPS, HopSpec(1, 30, (600,))], rows=rows, root=True)

    def narrow(value):
        return value if value.is_floating_point() else value.int()

    wide = run(case.message, case.leaves())
    for a, b in zip(run(case.map(narrow).message, case.leaves()), wide):
        assert torch.equal(a, b)


@native
@pytest.mark.parametrize('rows', ROWS)
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_same_bits_for_every_thread_count(rows, dtype):
    # A hub, experts with thousands of slots, tables of both kinds.
    specs = [
        HopSpec(1, 5000, (8, 700), (False, True)),
        HopSpec(2, 3000, (5, 600), (True, False)),
    ]
    case = make_case(
        specs, 3000, 40, rows=rows, root=True, self_scale=rows == 'shared'
    ).to(dtype)
    ptr = case.hops[0].ptr.clone()
    ptr[1:2000] = ptr[2000]
    hops = [case.hops[0]._replace(ptr=ptr), case.hops[1]]
    if rows == 'own':  # A row for each pair: the hub looks at others.
        row_of = torch.arange(9000).view(3, 3000)
        x = torch.randn(9000, 40).to(dtype).requires_grad_()
        case = replace(case, x=x, row_of=row_of)
    case = replace(case, hops=hops)
    assert 0 in case.node
    assert int(case.expert.bincount().max()) > 1024
    results = for_thread_counts(lambda: run(case.message, case.leaves()))
    for other in results[1:]:
        for a, b in zip(results[0], other):
            assert torch.equal(a, b)


@native
@pytest.mark.parametrize('rows', ROWS)
def test_opcheck(rows):
    case = make_case(
        channels=3, rows=rows, root=True, self_scale=rows == 'shared'
    )
    # Bits beyond the last message are not set and would differ.
    torch.library.opcheck(
        torch.ops.gmoe.routed_message.default,
        arguments(case, case.num_messages),
    )


@native
def test_opcheck_without_what_is_optional():
    case = make_case([HopSpec(2, 9, ())], weighted=False)
    torch.library.opcheck(
        torch.ops.gmoe.routed_message.default,
        arguments(case, case.num_messages),
    )


@native
def test_opcheck_of_the_backward_pass():
    case = make_case(root=True, self_scale=True)
    inputs = arguments(case, case.num_messages)
    out, mask = torch.ops.gmoe.routed_message(*inputs)
    torch.library.opcheck(
        torch.ops.gmoe.routed_message_backward.default,
        (out.detach(), mask, *inputs[:-1], True),
        test_utils=('test_schema', 'test_faketensor'),
    )


@native
@pytest.mark.parametrize('rows', ROWS)
def test_no_mask_without_gradients(rows):
    case = make_case(rows=rows, root=True, channels=40)
    with Recorder('routed_message') as recorder:
        expected = case.message()
        with torch.no_grad():
            out = case.message()
        constant = case.map(lambda value: value.detach()).message()
    assert torch.equal(out, expected)
    assert torch.equal(constant, expected)
    kept, *others = recorder.rows
    assert kept >= case.num_messages
    assert others == [0, 0]


@native
@pytest.mark.parametrize('rows', ['shared', 'own'])
@pytest.mark.parametrize('k', [1, 2, 5])
def test_fixed_number_of_slots_keeps_a_smaller_mask(rows, k):
    # Five experts; each node chooses the k after its own number.
    case = make_case(rows='interleaved' if rows == 'own' else rows, root=True)
    slot = [(i, o) for o in range(5) for i in range(6) if (o - i) % 5 < k]
    node, expert = torch.tensor(slot).t().contiguous()
    case = replace(case, node=node, expert=expert)
    with Recorder('routed_message') as recorder:
        results = run(lambda: case.message(slots_per_node=k), case.leaves())
        run(case.message, case.leaves())
    for a, b in zip(results, run(case.message, case.leaves())):
        assert torch.equal(a, b)
    fixed, any_number = recorder.rows
    assert case.num_messages <= fixed <= any_number
    assert fixed < any_number or k == 5


@native
def test_too_small_a_mask_is_refused():
    case = make_case(root=True)
    with pytest.raises(RuntimeError, match="'num_messages' must be 0 or from"):
        torch.ops.gmoe.routed_message(*arguments(case, case.num_messages - 1))
    torch.ops.gmoe.routed_message(*arguments(case, case.num_messages))
    # The op itself may be called with no mask, but not differentiated.
    out, _ = torch.ops.gmoe.routed_message(*arguments(case, 0))
    with pytest.raises(RuntimeError, match="'mask' must have a row"):
        out.sum().backward()


@native
def test_wrong_inputs_are_refused():
    case = make_case(root=True)
    # A root term has a weight, and a scale of the own row has a shared row.
    with pytest.raises(RuntimeError, match="'root' must be given with"):
        replace(case, root=None).message()
    scale = torch.ones(5).double()
    own = replace(make_case(rows='interleaved'), self_scale=scale)
    with pytest.raises(RuntimeError, match="'self_scale' must be None"):
        own.message()
    one, two = case.hops
    narrow = replace(case, hops=[one._replace(ptr=one.ptr.int()), two])
    with pytest.raises(RuntimeError, match="'ptr' must be int64, got int32"):
        narrow.message()
    short = one._replace(tables=[case.root[None, :, :-1]])
    with pytest.raises(RuntimeError, match="'tables' must have shape"):
        replace(case, hops=[short, two]).message()
    three = one._replace(tables=one.tables * 3, codes=one.codes * 3)
    with pytest.raises(RuntimeError, match="'tables' must have from 0 to 2"):
        replace(case, hops=[three, two]).message()
    without = two._replace(edge_weight=None)
    with pytest.raises(RuntimeError, match="'edge_weight' must be given for"):
        replace(case, hops=[one, without]).message()


@native
def test_wrong_packing_is_refused():
    x, node, expert, hops, sizes, *rest = arguments(make_case(root=True), 0)
    op = torch.ops.gmoe.routed_message
    for tensors, numbers, message in (
        (hops[:-1], sizes, "'hops' must have .* tensors for these"),
        (hops, sizes[:-1], "'hop_sizes' must have 4 elements for each of 1"),
        ([], [], "'hop_sizes' must have 4 elements for each of 1"),
        (hops * 3, sizes * 3, "'hop_sizes' must have 4 elements for each of"),
        (hops, [2**62, *sizes[1:]], "'num_experts' must be from 0"),
        (hops, [*sizes[:3], 2, *sizes[4:]], "'root_weight' must be given"),
    ):
        with pytest.raises(RuntimeError, match=message):
            op(x, node, expert, tensors, numbers, *rest)


@native
@pytest.mark.parametrize('leaf', ['x', 'root', 'self_scale'])
def test_second_derivative_is_refused(leaf):
    case = make_case(root=True, self_scale=True)
    value = getattr(case, leaf)
    out = case.message().square().sum()
    (grad,) = torch.autograd.grad(out, value, create_graph=True)
    with pytest.raises(NotImplementedError, match='no second derivative'):
        grad.sum().backward()
    with eager_ops():
        out = case.message().square().sum()
        (grad,) = torch.autograd.grad(out, value, create_graph=True)
        grad.sum().backward()
    assert value.grad.isfinite().all()


@native
@pytest.mark.parametrize('special', [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize('rows', ROWS)
@pytest.mark.parametrize('where', ['x', 'table', 'root'])
@pytest.mark.parametrize(
    'dtype', [torch.float32, torch.float64, torch.bfloat16]
)
def test_nan_and_infinity_as_by_relu(special, rows, where, dtype):
    case = make_case(channels=35, rows=rows, root=True).to(dtype)
    target = {
        'x': case.x,
        'table': case.hops[1].tables[1],
        'root': case.root,
    }[where]
    with torch.no_grad():
        target.flatten()[::3] = special
    fused, eager = both(case)
    for a, b in zip(fused, eager):
        assert torch.equal(a.isnan(), b.isnan())
        assert torch.equal(a.isposinf(), b.isposinf())
        assert torch.equal(a.isneginf(), b.isneginf())
    if special == -torch.inf:
        # Every such message is masked, and nothing is left of it.
        assert all(result.isfinite().all() for result in fused)
    else:
        assert not fused[0].isfinite().all()


@native
@pytest.mark.parametrize('special', [torch.nan, torch.inf])
@pytest.mark.parametrize('channels', [5, 35])
def test_infinite_gradient_of_masked_messages(special, channels):
    case = make_case(channels=channels, root=True, weighted=False)
    out = case.message()
    grad = torch.ones_like(out)
    grad.flatten()[::2] = special
    fused = torch.autograd.grad(out, case.leaves(), grad)
    with eager_ops():
        eager = torch.autograd.grad(case.message(), case.leaves(), grad)
    assert_close(fused, eager)
    assert not fused[0].isfinite().all()
    assert fused[0].isfinite().any()


@pytest.mark.parametrize('rows', ROWS)
@pytest.mark.parametrize(
    ('dtype', 'tolerance'),
    [
        (torch.float64, 1e-11),
        (torch.float32, 1e-4),
        (torch.bfloat16, 2e-2),
        (torch.float16, 2e-3),
    ],
)
def test_each_device(fused_device, rows, dtype, tolerance):
    specs = [
        HopSpec(2, 700, (4, 3), (False, True)),
        HopSpec(1, 60, (600,)),
        HopSpec(2, 0, ()),
    ]
    for channels in (1, 5, 64, 300):
        case = make_case(
            specs,
            30,
            channels,
            rows=rows,
            root=True,
            self_scale=rows == 'shared',
        ).to(dtype)
        exact = case.to(torch.float64)
        with eager_ops():
            expected = run(exact.message, exact.leaves())
        case = case.map(lambda value: move(value, fused_device))
        results = run(case.message, case.leaves())
        assert_near(results, expected, tolerance)
        assert_same_bits(run(case.message, case.leaves()), results)


def test_rows_that_are_not_aligned(fused_device):
    # Channels for 16-byte loads, but rows that begin one element later.
    case = make_case(channels=64).to(torch.float32)
    expected = case.slow()
    case = case.map(lambda value: move(value, fused_device))
    x = case.x.detach()
    later = torch.cat([x.new_zeros(1), x.view(-1)])[1:].view_as(x)
    assert later.is_contiguous()
    assert later.data_ptr() % 16 != 0
    case = case.map(lambda value: later if value is case.x else value)
    assert_near([case.message()], [expected], 1e-4)
