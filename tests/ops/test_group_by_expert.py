"""The grouping of slots against plain lists."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gmoe.ops import AVAILABLE, eager_ops, group_by_expert
from tests.devices import assert_same_bits, move

native = pytest.mark.skipif(not AVAILABLE, reason='no fused ops built')


def make_case(chosen, num_experts, dtype=torch.float64, index=torch.long):
    sizes = torch.tensor([0, *(len(experts) for experts in chosen)])
    expert = torch.tensor([o for experts in chosen for o in experts])
    weight = torch.arange(1, expert.numel() + 1).to(dtype).requires_grad_()
    return weight, expert.to(index), sizes.cumsum(0).to(index), num_experts


def assert_like_lists(chosen, num_experts, case):
    slots = [(o, i) for i, experts in enumerate(chosen) for o in experts]
    order = sorted(range(len(slots)), key=lambda s: slots[s][0])
    out = group_by_expert(*case)
    assert out.order.tolist() == order
    assert [order[p] for p in out.position.tolist()] == list(range(len(order)))
    assert out.expert.tolist() == [slots[s][0] for s in order]
    assert out.node.tolist() == [slots[s][1] for s in order]
    assert out.weight.tolist() == [s + 1 for s in order]
    assert out.weight.dtype == case[0].dtype
    bounds = [sum(o < p for o, _ in slots) for p in range(num_experts + 1)]
    assert out.ptr.tolist() == bounds
    assert all(value.dtype == case[1].dtype for value in out[1:])
    (grad,) = torch.autograd.grad(
        (out.weight * torch.arange(len(order))).sum(), case[0]
    )
    assert grad.tolist() == out.position.tolist()


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(1, 6), st.booleans())
def test_lists(data, num_experts, eager):
    expert = st.integers(0, num_experts - 1)
    chosen = data.draw(st.lists(st.lists(expert, unique=True), max_size=9))
    case = make_case(chosen, num_experts)
    if eager:
        with eager_ops():
            assert_like_lists(chosen, num_experts, case)
    else:
        assert_like_lists(chosen, num_experts, case)


@pytest.mark.parametrize('eager', [True, False])
@pytest.mark.parametrize('index', [torch.int32, torch.int64])
@pytest.mark.parametrize(
    'dtype', [torch.float64, torch.float32, torch.float16, torch.bfloat16]
)
def test_types(dtype, index, eager):
    chosen = [[2, 0], [], [1, 2, 0], [2]]
    case = make_case(chosen, 4, dtype, index)
    if eager:
        with eager_ops():
            assert_like_lists(chosen, 4, case)
    else:
        assert_like_lists(chosen, 4, case)


def test_non_contiguous_and_no_nodes():
    chosen = [[2, 0], [1, 2]]
    weight, expert, ptr, n = make_case(chosen, 3)
    expert = torch.stack([expert, expert], dim=1)[:, 0]
    assert not expert.is_contiguous()
    assert_like_lists(chosen, 3, (weight, expert, ptr, n))
    assert_like_lists([], 3, make_case([], 3))


@native
def test_gradcheck_and_opcheck():
    case = make_case([[2, 0], [], [1, 2]], 3)
    assert torch.autograd.gradcheck(
        lambda weight: group_by_expert(weight, *case[1:]).weight, case[0]
    )
    assert torch.autograd.gradgradcheck(
        lambda weight: group_by_expert(weight, *case[1:]).weight ** 3, case[0]
    )
    torch.library.opcheck(torch.ops.gmoe.group_by_expert.default, case)


@native
def test_refused_arguments():
    weight, expert, ptr, n = make_case([[2, 0], [1, 2]], 3)
    for arguments, message in (
        ((weight, expert, ptr, 2), "'expert' must hold .* from 0 to 1, got 2"),
        (
            (weight, expert - 1, ptr, n),
            "'expert' must hold .* from 0 to 2, got -1",
        ),
        (
            (weight, expert, ptr[:-1], n),
            "'ptr' must begin with 0 and end with 4",
        ),
        (
            (weight, expert, ptr.flip(0), n),
            "'ptr' must begin with 0 .* got 4 and 0",
        ),
        (
            (weight[1:], expert, ptr, n),
            r"'weight' must have shape \[4\], got \[3\]",
        ),
        ((weight, expert, ptr.int(), n), "'ptr' must be int64, got int32"),
        ((weight, expert.short(), ptr.short(), n), 'int32 or int64'),
    ):
        with pytest.raises(RuntimeError, match=message):
            group_by_expert(*arguments)


@pytest.mark.parametrize('num_experts', [1, 8, 256, 300])
@pytest.mark.parametrize(
    ('index', 'dtype'),
    [
        (torch.int64, torch.float32),
        (torch.int32, torch.float64),
        (torch.int64, torch.bfloat16),
    ],
)
def test_each_device(fused_device, index, dtype, num_experts):
    for num_slots in (0, 1, 256, 257, 20000):
        generator = torch.Generator().manual_seed(num_slots)
        expert = torch.randint(num_experts, (num_slots,), generator=generator)
        # Some nodes have no slot.
        cuts = torch.randint(num_slots + 1, (num_slots // 3,))
        ptr = torch.cat([torch.tensor([0, num_slots]), cuts]).sort().values
        weight = torch.randn(num_slots, generator=generator).to(dtype)
        case = weight.requires_grad_(), expert.to(index), ptr.to(index)
        direction = torch.arange(num_slots).to(dtype)

        def outcome(weight, expert, ptr, direction=direction):
            out = group_by_expert(weight, expert, ptr, num_experts)
            (grad,) = torch.autograd.grad(
                out.weight, weight, direction.to(weight.device)
            )
            return [*out, grad]

        with eager_ops():
            expected = outcome(*case)
        assert_same_bits(outcome(*move(case, fused_device)), expected)
