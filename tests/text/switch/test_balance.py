"""The balance losses of the layers."""

import pytest
import torch

reason = "the extra 'text' is not installed"
pytest.importorskip('transformers', reason=reason)

from transformers.models.switch_transformers import (  # noqa: E402
    modeling_switch_transformers as switch,
)

from gmoe.routing import Router, balance_loss  # noqa: E402
from gmoe.text.switch.balance import (  # noqa: E402
    balance_of_layers,
    z_loss_of_layers,
)


def routings():
    torch.manual_seed(0)
    router = Router(4, 3, top_k=1, noise=False)
    router.score_gate.weight.data.normal_()
    return [router(torch.randn(n, 4)) for n in (5, 9)]


def test_switch_loss_per_layer():
    made = routings()
    expected = []
    for routing in made:
        probability = routing.logits.softmax(1).mean(0)
        share = torch.bincount(routing.expert, minlength=3) / len(
            routing.expert
        )
        expected.append(3 * (probability * share).sum())
    losses = balance_of_layers(made, 'switch')
    torch.testing.assert_close(losses, torch.stack(expected))


def test_as_transformers_has_them():
    made = routings()
    scores = [routing.logits.unsqueeze(0) for routing in made]
    balance = [
        switch.load_balancing_loss_func(s.softmax(-1), s.argmax(-1))
        for s in scores
    ]
    z_loss = [switch.router_z_loss_func(s) for s in scores]
    losses = balance_of_layers(made, 'switch')
    torch.testing.assert_close(losses, torch.stack(balance))
    torch.testing.assert_close(z_loss_of_layers(made), torch.stack(z_loss))


def test_importance_and_load_per_layer():
    made = routings()
    losses = balance_of_layers(made, 'importance_load')
    torch.testing.assert_close(losses.mean(), balance_loss(made))


def test_z_loss_per_layer():
    made = routings()
    expected = [r.logits.exp().sum(1).log().square().mean() for r in made]
    torch.testing.assert_close(z_loss_of_layers(made), torch.stack(expected))


def test_nothing_to_balance():
    assert balance_of_layers(routings(), 'none') is None
    assert balance_of_layers([], 'switch') is None
    assert z_loss_of_layers([]) is None
