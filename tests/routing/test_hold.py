import pytest
import torch
from torch import nn

from gmoe.routing import (
    Router,
    UniformRouter,
    collect_routing,
    hold_selection,
)

KINDS = {
    'softmax': {'top_k': 2},
    'softmax_late': {'top_k': 2, 'topk_first': False},
    'sparsemax': {'top_k': 3, 'normalize': 'sparsemax'},
    'attention': {'top_k': 2, 'score': 'attention'},
    'all': {'normalize': 'softmax'},
}


def make(name: str) -> Router:
    torch.manual_seed(0)
    router = Router(4, 6, **KINDS[name]).double().eval()
    for parameter in router.parameters():
        nn.init.normal_(parameter)
    return router


@pytest.mark.parametrize('name', KINDS)
def test_the_same_features_are_routed_the_same(name: str):
    router, x = make(name), torch.randn(5, 4, dtype=torch.float64)
    routing = router(x)
    with hold_selection(router, [routing]):
        held = router(x.repeat(3, 1))
    assert torch.allclose(held.gates, routing.gates.repeat(3, 1))


@pytest.mark.parametrize('name', KINDS)
def test_other_features_keep_their_experts(name: str):
    router = make(name)
    x, other = torch.randn(2, 5, 4, dtype=torch.float64)
    routing = router(x)
    with hold_selection(router, [routing]):
        held = router(other)
    if router.top_k is None:
        assert torch.equal(held.gates, router(other).gates)
        return
    selected = (
        routing.logits >= routing.logits.topk(router.top_k).values[:, -1:]
    )
    assert not (held.gates > 0)[~selected].any()
    scores = router.score_gate(other)
    for node in range(5):
        row, chosen = scores[node], selected[node]
        if name == 'softmax_late':
            expected = row.softmax(0)[chosen]
        elif router.normalize == 'softmax':
            expected = row[chosen].softmax(0)
        else:
            continue
        assert torch.allclose(held.gates[node, chosen], expected)
    assert torch.equal(router(other).logits, scores)  # No longer held.


def test_there_is_no_jump():
    router = make('softmax')
    a, b = torch.randn(2, 1, 4, dtype=torch.float64)
    steps = torch.linspace(0, 1, 2001, dtype=torch.float64).unsqueeze(1)
    path = a + steps * (b - a)
    assert router(path).gates.diff(dim=0).abs().max() > 0.1
    with hold_selection(router, [router(a)]):
        gates = router(path).gates
    assert gates.diff(dim=0).abs().max() < 0.01


def test_several_routers_one_of_them_uniform():
    model = nn.Sequential(make('softmax'), UniformRouter(3), make('sparsemax'))
    x, other = torch.randn(2, 5, 4, dtype=torch.float64)
    with collect_routing(model) as routings:
        for router in model:
            router(x)
    with hold_selection(model, routings):
        for _ in range(2):
            held = [router(other) for router in model]
            assert torch.equal(held[0].expert, routings[0].expert)
            assert torch.equal(held[1].gates, routings[1].gates)
            assert held[2].num_experts == 6


def test_other_nodes_are_refused():
    router, x = make('softmax'), torch.randn(5, 4, dtype=torch.float64)
    with (
        hold_selection(router, [router(x)]),
        pytest.raises(ValueError, match="'routings' must be of 7 nodes"),
    ):
        router(torch.randn(7, 4, dtype=torch.float64))
    with (
        pytest.raises(ValueError, match="'routings' must have one"),
        hold_selection(router, []),
    ):
        pass
    router(torch.randn(7, 4, dtype=torch.float64))
