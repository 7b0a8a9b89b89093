"""Expert choice, one expert and one graph at a time."""

import math

import pytest
import torch
from torch import Tensor

from gmoe.routing import ExpertChoice, Router

D, E = 3, 4
SIZES = [5, 1, 9, 2, 3]


def make_router(**kwargs) -> Router:
    torch.manual_seed(0)
    router = Router(
        D, E, select='expert_choice', noise=False, select_kwargs=kwargs
    ).double()
    torch.nn.init.normal_(router.score_gate.weight)
    return router


def features(num_nodes: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(num_nodes, D, generator=generator).double()


def slow_gates(scores: Tensor, graphs: list, factor: float) -> Tensor:
    entries = {}
    for nodes in graphs:
        capacity = max(1, math.ceil(round(factor * len(nodes) / E, 9)))
        for o in range(E):
            p = {i: scores[i].softmax(0)[o] for i in nodes}
            best = sorted(nodes, key=lambda i: (-float(p[i].detach()), i))[
                :capacity
            ]
            entries |= {(i, o): p[i] for i in best}
    zero = scores.new_zeros(())
    return torch.stack(
        [
            torch.stack([entries.get((i, o), zero) for o in range(E)])
            for i in range(len(scores))
        ]
    )


@pytest.mark.parametrize('factor', [0.1, 1, 1.2, 2, 4, 9])
@pytest.mark.parametrize('scope', ['graph', 'batch'])
def test_gates(factor, scope):
    router = make_router(capacity_factor=factor, scope=scope)
    x = features(sum(SIZES))
    batch = torch.arange(len(SIZES)).repeat_interleave(torch.tensor(SIZES))
    routing = router(x, batch)
    graphs = [
        [i for i in range(len(x)) if scope == 'batch' or batch[i] == g]
        for g in range(len(SIZES) if scope == 'graph' else 1)
    ]
    expected = slow_gates(router.score_gate(x), graphs, factor)
    assert torch.allclose(routing.gates, expected, rtol=1e-12)
    # Equal loads.
    assert routing.counts.unique().numel() == 1
    assert torch.equal(routing.ptr.diff(), (expected > 0).sum(dim=1))
    if factor < 2:
        assert routing.ptr.diff().min() == 0
    direction = torch.randn(len(x), E).double()
    grads = [
        torch.autograd.grad((g * direction).sum(), router.score_gate.weight)[0]
        for g in (routing.gates, expected)
    ]
    assert torch.allclose(*grads, rtol=1e-9, atol=1e-12)


def assert_same(gates: Tensor, expected: Tensor) -> None:
    assert torch.equal(gates > 0, expected > 0)
    assert torch.allclose(gates, expected, rtol=1e-12)


def test_a_graph_alone_and_in_a_batch():
    router = make_router()
    x, sizes = features(sum(SIZES)), torch.tensor(SIZES)
    batch = torch.arange(len(SIZES)).repeat_interleave(sizes)
    singles = torch.cat([router(part).gates for part in x.split(SIZES)])
    assert_same(router(x, batch).gates, singles)
    # Other numbers of the graphs, and their nodes in another order.
    order = torch.randperm(len(batch))
    mixed = router(x[order], 3 * batch[order] + 2)
    assert_same(mixed.gates, singles[order])
    other = make_router(scope='batch')
    assert_same(other(x).gates, other(x, batch).gates)
    assert not torch.equal(other(x).gates > 0, singles > 0)


def test_equal_scores_and_whole_shares():
    selection = ExpertChoice(0.3)
    chosen = selection.choose(torch.zeros(10, 3), None)
    # 0.3 * 10 / 3 is 1, but for rounding.
    assert chosen.nonzero().tolist() == [[0, 0], [0, 1], [0, 2]]
    assert ExpertChoice(8).choose(torch.zeros(3, 2), None).all()


def test_noise_is_the_default():
    assert Router(D, E, select='expert_choice').noise
    assert not Router(D, E, select='top_any').noise


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        ({'capacity_factor': 0}, "'capacity_factor' must be .* > 0, got 0"),
        ({'capacity_factor': float('inf')}, "'capacity_factor'.* got inf"),
        ({'scope': 'node'}, "'scope' must be one of .* got 'node'"),
    ],
)
def test_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        ExpertChoice(**kwargs)
