"""Top-p and top-any against one node at a time."""

from contextlib import nullcontext

import pytest
import torch
from torch import Tensor

from gmoe.ops import eager_ops
from gmoe.routing import (
    Router,
    TopAny,
    TopP,
    balance_loss,
    hold_selection,
    switch_loss,
)

N, D, E = 9, 3, 5
SELECTS = {
    'top_p': {'select_kwargs': {'p': 0.6}},
    'top_any': {},
    'expert_choice': {},
}


def make_router(select: str, seed: int = 0, **kwargs) -> Router:
    torch.manual_seed(seed)
    kwargs = {**SELECTS[select], **kwargs}
    router = Router(D, E, select=select, noise=False, **kwargs).double()
    for parameter in router.parameters():
        parameter.data.normal_()
    return router


def features(num_nodes: int = N) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(num_nodes, D, generator=generator).double()


def slow_top_p(scores: Tensor, p: float, renormalize: bool) -> Tensor:
    rows = []
    for row in scores:
        probability = [value.exp() / row.exp().sum() for value in row]
        known = [float(value.detach()) for value in probability]
        order = sorted(range(E), key=lambda o: (-known[o], o))
        chosen, total = [], 0.0
        while total < p and len(chosen) < E:
            chosen.append(order[len(chosen)])
            total += known[chosen[-1]]
        norm = sum(probability[o] for o in chosen) if renormalize else 1
        zero = row.new_zeros(())
        rows.append(
            torch.stack(
                [
                    probability[o] / norm if o in chosen else zero
                    for o in range(E)
                ]
            )
        )
    return torch.stack(rows)


@pytest.mark.parametrize('p', [1e-6, 0.3, 0.6, 0.9, 1])
@pytest.mark.parametrize('renormalize', [False, True])
def test_top_p(p, renormalize):
    given = {'p': p, 'renormalize': renormalize}
    router, x = make_router('top_p', select_kwargs=given), features()
    gates = router(x).gates
    expected = slow_top_p(router.score_gate(x), p, renormalize)
    assert torch.allclose(gates, expected, rtol=1e-12)
    direction = torch.randn(N, E).double()
    weight = router.score_gate.weight
    grads = [
        torch.autograd.grad((value * direction).sum(), weight)[0]
        for value in (gates, expected)
    ]
    assert torch.allclose(*grads, rtol=1e-9, atol=1e-12)
    if not renormalize:
        assert (gates.sum(dim=1) >= p - 1e-12).all()


def test_top_p_gives_each_node_its_number():
    routing = make_router('top_p')(features(60))
    assert routing.slots_per_node is None
    slots = routing.ptr.diff()
    assert slots.min() >= 1
    assert slots.unique().numel() > 2
    assert (
        make_router('top_p', select_kwargs={'p': 1})(features())
        .ptr.diff()
        .tolist()
        == [E] * N
    )
    # Equal probabilities: the lower ids first.
    router = Router(D, E, select='top_p', select_kwargs={'p': 0.5})
    assert router(features().float()).expert.tolist() == [0, 1, 2] * N


@pytest.mark.parametrize('p', [0, -0.1, 1.1, float('nan'), True, '0.5', None])
def test_refused_p(p):
    with pytest.raises(ValueError, match=f"'p' must be .*got {p!r}"):
        TopP(p)


@pytest.mark.parametrize('score', ['cosine', 'linear', 'attention'])
def test_top_any(score):
    router, x = make_router('top_any', score=score), features(40)
    theta = router.selection.threshold
    scores = router.score_gate(x)
    routing = router(x)
    direction = torch.randn(40, E).double()
    expected, margins = torch.zeros(40, E).double(), []
    for node, row in enumerate(scores):
        chosen = [o for o in range(E) if row[o].sigmoid() > theta[o].sigmoid()]
        chosen = chosen or [max(range(E), key=lambda o: row[o])]
        for o in chosen:
            expected[node, o] = 1 / len(chosen)
            margin = row[o].sigmoid() - theta[o].sigmoid()
            margins.append(direction[node, o] * margin / len(chosen))
    assert torch.allclose(routing.gates, expected)
    assert torch.equal(routing.ptr.diff(), (expected > 0).sum(dim=1))
    assert routing.ptr.diff().unique().numel() > 1
    # Straight-through.
    inputs = list(router.parameters())
    value = (routing.gates * direction).sum()
    for grad, slow in zip(
        torch.autograd.grad(value, inputs),
        torch.autograd.grad(sum(margins), inputs),
    ):
        assert grad.abs().sum() > 0
        assert torch.allclose(grad, slow, rtol=1e-9, atol=1e-12)


def test_top_any_without_any_and_at_the_start():
    router, x = make_router('top_any'), features()
    router.selection.threshold.data.fill_(100)
    routing = router(x)
    assert torch.equal(routing.expert, router.score_gate(x).argmax(dim=1))
    assert torch.equal(routing.weight, torch.ones(N).double())
    routing.weight.sum().backward()
    assert router.score_gate.weight.grad.isfinite().all()
    # Scores and thresholds of zero: every expert.
    routing = Router(D, E, select='top_any')(x.float())
    assert torch.allclose(routing.gates, torch.tensor(1 / E))
    router.reset_parameters()
    assert router.selection.threshold.abs().sum() == 0
    assert set(router.state_dict()) == {
        'score_gate.weight',
        'selection.threshold',
    }
    with pytest.raises(ValueError, match="'num_experts' must be .* got 0"):
        TopAny(0)


@pytest.mark.parametrize('select', SELECTS)
@pytest.mark.parametrize('fused', [True, False])
def test_no_nodes_one_expert_and_losses(select, fused):
    with nullcontext() if fused else eager_ops():
        router = make_router(select)
        empty = router(features(0))
        assert empty.num_slots == 0
        assert empty.gates.shape == (0, E)
        loss = balance_loss(empty) + empty.weight.sum() + switch_loss(empty)
        loss.backward()
        assert all(p.grad is not None for p in router.parameters())
        one = Router(D, 1, select=select, **SELECTS[select]).double()
        assert torch.allclose(one(features()).gates, torch.ones(N, 1).double())
        routing = router(features())
        (balance_loss(routing) + switch_loss(routing)).backward()
        assert all(p.grad.isfinite().all() for p in router.parameters())
        slots = routing.by_expert
        assert torch.equal(slots.ptr.diff(), routing.counts)
        h = torch.randn(routing.num_slots, 2).double()
        out = slots.combine(h, N)
        slow = torch.zeros(N, 2).double()
        for row, node, weight in zip(h, slots.node, slots.weight):
            slow[node] += weight.detach() * row
        assert torch.allclose(out, slow)


@pytest.mark.parametrize('select', SELECTS)
def test_held(select):
    router = make_router(select)
    x, other = features(), features(2 * N)[N:]
    routing = router(x)
    with hold_selection(router, [routing]):
        same, held = router(x.repeat(2, 1)), router(other)
    assert torch.allclose(same.gates, routing.gates.repeat(2, 1))
    assert torch.equal(held.expert, routing.expert)
    assert torch.equal(held.ptr, routing.ptr)
    if select != 'top_any':
        probability = router.score_gate(other).softmax(dim=1)
        chosen = routing.gates > 0
        assert torch.allclose(held.gates, probability * chosen)
        assert not torch.equal(router(other).gates > 0, chosen)


@pytest.mark.parametrize('select', SELECTS)
def test_types_and_bad_features(select):
    router = make_router(select).float()
    x = features().float()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        routing = router(x)
    assert routing.weight.dtype == routing.logits.dtype == torch.float32
    assert torch.equal(routing.gates, router(x).gates)
    assert router(x.bfloat16()).weight.dtype == torch.float32
    assert router.bfloat16()(x.bfloat16()).weight.dtype == torch.float32
    x[2, 1] = float('nan')
    with pytest.raises(ValueError, match="'x' must be finite .* node 2"):
        router(x)
