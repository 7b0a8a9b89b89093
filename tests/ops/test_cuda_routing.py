"""The ops of the router, dropout and hop-2 edges for CUDA: as on the CPU, with
the same bits in every run."""

import pytest
import torch

from gmoe.ops import (
    CUDA_AVAILABLE,
    group_by_expert,
    noisy_topk,
    relu_dropout,
    two_hop_edges,
)
from gmoe.ops.backend import MAX_CUDA_EXPERTS
from tests.devices import move
from tests.ops.message_case import assert_close

DEVICE = 'cuda'

pytestmark = pytest.mark.skipif(
    not CUDA_AVAILABLE, reason='no fused ops for CUDA here'
)


def gate_case(num_rows, n, top_k, topk_first, noisy, dtype):
    generator = torch.Generator().manual_seed(n)
    clean, raw, noise = torch.randn(3, num_rows, n, generator=generator)
    clean = clean.to(dtype).requires_grad_()
    if not noisy:
        return clean, None, None, top_k, topk_first
    raw = raw.to(dtype).requires_grad_()
    return clean, raw, noise.to(dtype), top_k, topk_first


def run_gate(case):
    out = [value for value in noisy_topk(*case) if value is not None]
    direction = [torch.arange(v.size(1)).to(v) % 3 - 1 for v in out]
    total = sum(
        (out[k] * direction[k]).sum() for k in (0, *range(2, len(out)))
    )
    leaves = [leaf for leaf in case[:2] if leaf is not None]
    grads = torch.autograd.grad(total, leaves)
    return [value.detach().cpu() for value in (*out, *grads)]


@pytest.mark.parametrize('noisy', [True, False])
@pytest.mark.parametrize('topk_first', [True, False])
@pytest.mark.parametrize(
    ('n', 'top_k'),
    [(1, 1), (3, 2), (8, 4), (8, 8), (33, 5), (100, 1), (256, 9), (300, 4)],
)
@pytest.mark.parametrize(
    ('dtype', 'tolerance'),
    [
        (torch.float64, 1e-11),
        (torch.float32, 1e-4),
        (torch.bfloat16, 3e-2),
        (torch.float16, 4e-3),
    ],
)
def test_noisy_topk(dtype, tolerance, n, top_k, topk_first, noisy):
    # Beyond the largest number of experts, the eager version serves.
    assert n <= MAX_CUDA_EXPERTS or n == 300
    case = gate_case(301, n, top_k, topk_first, noisy, dtype)
    expected = run_gate(case)
    case = move(case, DEVICE)
    results = run_gate(case)
    assert len(results) == len(expected)
    for value, target in zip(results, expected):
        if target.dtype == torch.long and dtype != torch.float64:
            # Scores that are nearly equal may change their order.
            assert (value == target).double().mean() > 0.98
        else:
            largest = float(target.abs().max())
            assert_close([value], [target], tolerance, tolerance * largest)
    for value, again in zip(results, run_gate(case)):
        assert torch.equal(value, again)


def slots_case(num_slots, num_experts, index, dtype=torch.float32):
    generator = torch.Generator().manual_seed(num_slots)
    expert = torch.randint(num_experts, (num_slots,), generator=generator)
    cuts = torch.randint(num_slots + 1, (num_slots // 3,), generator=generator)
    ends = torch.tensor([0, num_slots])
    ptr = torch.cat([ends, cuts]).sort().values  # Some nodes have no slot.
    weight = torch.randn(num_slots, generator=generator).to(dtype)
    return weight.requires_grad_(), expert.to(index), ptr.to(index)


@pytest.mark.parametrize('num_slots', [0, 1, 256, 257, 20000])
@pytest.mark.parametrize('num_experts', [1, 8, 256, 300])
@pytest.mark.parametrize(
    ('index', 'dtype'),
    [
        (torch.int64, torch.float32),
        (torch.int32, torch.float64),
        (torch.int64, torch.bfloat16),
    ],
)
def test_group_by_expert(index, dtype, num_experts, num_slots):
    case = slots_case(num_slots, num_experts, index, dtype)
    expected = group_by_expert(*case, num_experts)
    moved = move(case, DEVICE)
    out = group_by_expert(*moved, num_experts)
    for value, target in zip(out, expected):
        assert value.dtype == target.dtype
        assert torch.equal(value.cpu(), target)
    direction = torch.arange(num_slots).to(dtype)
    (grad,) = torch.autograd.grad(expected.weight, case[0], direction)
    (again,) = torch.autograd.grad(out.weight, moved[0], direction.to(DEVICE))
    assert torch.equal(again.cpu(), grad)


@pytest.mark.parametrize('relu', [True, False])
@pytest.mark.parametrize('size', [0, 1, 3, 4, 1030, 100_003])
@pytest.mark.parametrize(
    'dtype', [torch.float64, torch.float32, torch.float16, torch.bfloat16]
)
def test_seed_gives_the_same_mask_on_each_device(dtype, size, relu):
    x = torch.randn(size + 1, generator=torch.Generator().manual_seed(0))
    seed = torch.tensor([5 + 2**40])
    # Elements at a multiple of a pack of them, and one further.
    for offset in (0, 1):
        outs = []
        for device in ('cpu', DEVICE):
            there = x.to(dtype).to(device)[offset : size + offset]
            there.requires_grad_()
            out = torch.ops.gmoe.relu_dropout(
                there, seed.to(device), 0.3, relu
            )
            (grad,) = torch.autograd.grad(out.square().sum(), there)
            outs.append((out.detach().cpu(), grad.cpu()))
        assert torch.equal(outs[0][0], outs[1][0])
        assert torch.equal(outs[0][1], outs[1][1])


@pytest.mark.parametrize('coalesce', [False, True])
@pytest.mark.parametrize('mode', ['exact', 'released'])
def test_two_hop(mode, coalesce):
    generator = torch.Generator().manual_seed(0)
    edge_index = torch.randint(300, (2, 3000), generator=generator)
    edge_index[0, :200] = 7  # A hub, of out- and of in-edges.
    edge_index[1, 300:500] = 7
    edge_attr = torch.arange(3000)
    for edges in (edge_index, edge_index[:, :0]):
        attr = edge_attr[: edges.size(1)]
        batch = torch.zeros(301, dtype=torch.long)
        expected = two_hop_edges(
            edges, attr, mode=mode, coalesce=coalesce, batch=batch
        )
        out = two_hop_edges(
            *move((edges, attr), DEVICE),
            mode=mode,
            coalesce=coalesce,
            batch=batch.to(DEVICE),
        )
        for value, target in zip(out, expected):
            assert torch.equal(value.cpu(), target)


def test_ids_of_32_bits_in_two_hop():
    generator = torch.Generator().manual_seed(1)
    edges = torch.randint(50, (2, 400), generator=generator).int()
    expected = torch.ops.gmoe.two_hop(edges, edges[1], 50, False)
    edges = edges.to(DEVICE)
    out = torch.ops.gmoe.two_hop(edges, edges[1], 50, False)
    for value, target in zip(out, expected):
        assert value.dtype == torch.int32
        assert torch.equal(value.cpu(), target)


def step(clean, raw, noise, x):
    """The gate, the grouping of its slots, and dropout."""
    gate = noisy_topk(clean, raw, noise, 3)
    num_slots = 3 * clean.size(0)
    ptr = torch.arange(0, num_slots + 1, 3, device=clean.device)
    slots = group_by_expert(
        gate.weight.flatten(), gate.expert.flatten(), ptr, clean.size(1)
    )
    dropped = relu_dropout(x, 0.5)
    total = slots.weight * torch.arange(num_slots, device=clean.device)
    total = total.sum() + gate.load.square().sum() + dropped.sum()
    grads = torch.autograd.grad(total, [clean, raw, x])
    return [*slots, *grads[:2]], dropped, grads[2]


def test_router_and_dropout_in_a_cuda_graph():
    clean, raw, noise, *_ = move(
        gate_case(1000, 8, 3, True, True, torch.float32), DEVICE
    )
    x = torch.rand(1000, 7, device=DEVICE).add_(1).requires_grad_()
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step(clean, raw, noise, x)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        routed, dropped, grad = step(clean, raw, noise, x)
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
    expected, _, _ = step(clean, raw, noise, x)
    for value, target in zip(results, expected):
        assert torch.equal(value, target)
