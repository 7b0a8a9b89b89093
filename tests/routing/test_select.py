"""Selections of one's own, and how entries become slots."""

import pytest
import torch

from gmoe.routing import Router, Selection, balance_loss, hold_selection
from gmoe.routing.select import (
    NonFiniteError,
    Scores,
    Selected,
    check_finite,
    noisy_logits,
    routing_of,
)


class AboveMean(Selection):
    """The experts above a node's mean, equally."""

    def choose(self, logits, batch):
        return logits >= logits.mean(dim=1, keepdim=True)

    def weigh(self, logits, chosen):
        return torch.sigmoid(logits)


def make_router():
    torch.manual_seed(0)
    router = Router(3, 4, select=AboveMean()).double()
    torch.nn.init.normal_(router.score_gate.weight)
    return router


def test_a_selection_of_ones_own():
    router, x = make_router(), torch.randn(6, 3).double()
    routing = router(x)
    scores = router.score_gate(x)
    expected = torch.zeros(6, 4).double()
    for node in range(6):
        for expert in range(4):
            if scores[node, expert] >= scores[node].mean():
                expected[node, expert] = scores[node, expert].sigmoid()
    assert torch.allclose(routing.gates, expected)
    assert torch.equal(routing.ptr.diff(), (expected > 0).sum(dim=1))
    balance_loss(routing).backward()
    assert router.score_gate.weight.grad.abs().sum() > 0
    assert 'select=AboveMean()' in str(router)


def test_it_can_be_held():
    router = make_router()
    x, other = torch.randn(2, 5, 3).double()
    routing = router(x)
    with hold_selection(router, [routing]):
        held = router(other.repeat(2, 1))
    chosen = (routing.gates > 0).repeat(2, 1)
    assert not torch.equal(chosen, router(other.repeat(2, 1)).gates > 0)
    weight = router.score_gate(other.repeat(2, 1)).sigmoid()
    assert torch.allclose(held.gates, weight * chosen)


def test_slots_of_entries():
    weight, logits = torch.rand(3, 2), torch.randn(3, 4)
    expert = torch.tensor([[1, 3], [0, 2], [3, 1]])
    routing = routing_of(Selected(weight, logits, expert), 4)
    assert routing.slots_per_node == 2
    assert routing.expert.tolist() == [1, 3, 0, 2, 3, 1]
    keep = torch.tensor([[True, False], [False, False], [True, True]])
    routing = routing_of(Selected(weight, logits, expert, keep), 4)
    assert routing.slots_per_node is None
    assert routing.ptr.tolist() == [0, 1, 1, 3]
    assert routing.expert.tolist() == [1, 3, 1]
    assert torch.equal(routing.weight, weight[keep])
    rows = Selected(weight, logits, keep=keep).of_rows(torch.tensor([2, 0, 2]))
    assert torch.equal(rows.weight, weight[[2, 0, 2]])
    assert rows.keep.tolist() == [[True, True], [True, False], [True, True]]
    assert rows.expert is None


def test_noise_and_finite_scores():
    clean, raw, noise = torch.randn(3, 5, 4).double()
    logits, scale = noisy_logits(Scores(clean, raw, noise))
    assert torch.allclose(scale, raw.exp().log1p() + 0.01)
    assert torch.allclose(logits, clean + noise * scale)
    assert noisy_logits(Scores(clean)) == (clean, None)
    clean[3, 1] = float('nan')
    for function in (check_finite, lambda value: noisy_logits(Scores(value))):
        with pytest.raises(NonFiniteError, match="'x' must be .* node 3"):
            function(clean)
