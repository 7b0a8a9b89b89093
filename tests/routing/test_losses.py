"""The balance losses against the papers' formulas."""

import math

import pytest
import torch

from gmoe.routing import (
    Router,
    Routing,
    UniformRouter,
    balance_loss,
    entropy_loss,
    importance_loss,
    load_loss,
    router_z_loss,
    switch_loss,
)
from gmoe.routing.losses import squared_coefficient_of_variation
from tests.reference import load_probability, noisy_topk_gates, squared_cv

LOSSES = [
    importance_loss,
    load_loss,
    balance_loss,
    switch_loss,
    router_z_loss,
]


def make_router(num_experts=4, top_k=2, **kwargs):
    torch.manual_seed(0)
    router = Router(3, num_experts, top_k, **kwargs).double()
    for parameter in router.parameters():
        parameter.data.normal_()
    return router


def features(num_nodes=8):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(num_nodes, 3, generator=generator, dtype=torch.float64)


def test_importance_and_load_of_the_papers():
    router, x = make_router(), features()
    torch.manual_seed(2)
    routing = router(x)
    torch.manual_seed(2)
    noise = torch.randn(8, 4, dtype=torch.float64)
    weights = (router.score_gate.weight, router.score_noise.weight)
    gates = noisy_topk_gates(x, *weights, noise, 2)
    load = load_probability(x, *weights, noise, 2)
    for loss, matrix in ((importance_loss, gates), (load_loss, load)):
        expected = squared_cv([column.sum() for column in matrix.unbind(1)])
        value = loss(routing)
        assert value.shape == ()
        assert torch.allclose(value, expected, rtol=1e-10)
        grads = torch.autograd.grad(value, weights, retain_graph=True)
        slow = torch.autograd.grad(expected, weights, retain_graph=True)
        for grad, slow_grad in zip(grads, slow):
            assert grad.abs().sum() > 0
            assert torch.allclose(grad, slow_grad, rtol=1e-8)


def test_squared_coefficient_of_variation():
    values = torch.tensor([1.0, 2.0, 6.0]).double()
    expected = squared_cv(list(values))
    assert torch.allclose(squared_coefficient_of_variation(values), expected)
    assert squared_coefficient_of_variation(values * 5) == pytest.approx(
        float(expected), rel=1e-8
    )
    assert squared_coefficient_of_variation(torch.full((5,), 3.0)) == 0
    assert squared_coefficient_of_variation(torch.zeros(5)) == 0
    # One value: zero, not the NaN of an unbiased variance.
    assert squared_coefficient_of_variation(torch.ones(1)) == 0


@pytest.mark.parametrize('loss', LOSSES)
@pytest.mark.parametrize('num_nodes', [0, 1, 6])
@pytest.mark.parametrize(('num_experts', 'top_k'), [(1, 1), (4, 1), (12, 2)])
def test_finite_scalars(loss, num_nodes, num_experts, top_k):
    router = make_router(num_experts, top_k)
    value = loss(router(features(num_nodes)))
    assert value.shape == ()
    assert value.isfinite()
    if num_nodes == 0:
        assert value == 0
    if loss is load_loss and top_k == num_experts:
        assert not value.requires_grad  # All are selected, whatever the noise.
        return
    value.backward()
    for parameter in router.parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all()
    assert router.score_gate.weight.grad is not None


def test_expert_that_nobody_chose():
    router = make_router().eval()
    router.score_gate.weight.data[:, 3] = 0
    router.score_gate.weight.data[0, 3] = -100
    x = features()
    x[:, 0] = x[:, 0].abs() + 1
    routing = router(x)
    assert routing.counts[3] == 0
    for loss in LOSSES:
        assert loss(routing).isfinite()
    # All nodes at the same two of four experts.
    router.score_gate.weight.data[:] = 0
    collapsed = router(x)
    expected = squared_cv([torch.tensor(v) for v in (4.0, 4.0, 0.0, 0.0)])
    for loss in (importance_loss, load_loss):
        assert loss(collapsed).item() == pytest.approx(float(expected))


def test_load_loss_without_noise_has_no_gradient():
    routing = make_router().eval()(features())
    assert not load_loss(routing).requires_grad
    assert importance_loss(routing).requires_grad
    counts = squared_cv(list(routing.counts.double()))
    assert torch.allclose(load_loss(routing), counts)


def test_balance_loss_weights_and_average():
    router = make_router()
    first, second = router(features()), router(features(5))
    expected = [importance_loss(r) + load_loss(r) for r in (first, second)]
    assert torch.allclose(balance_loss(first), expected[0])
    both = balance_loss([first, second])
    assert torch.allclose(both, sum(expected) / 2)
    assert torch.allclose(balance_loss((first, second)), both)
    value = balance_loss(first, importance_weight=2, load_weight=0)
    assert torch.allclose(value, 2 * importance_loss(first))
    value = balance_loss(first, importance_weight=0, load_weight=3)
    assert torch.allclose(value, 3 * load_loss(first))
    with pytest.raises(ValueError, match="'routings' must hold at least one"):
        balance_loss([])


def test_switch_loss():
    # Each of four nodes at an expert of its own, equal scores.
    uniform = Routing(
        ptr=torch.arange(5),
        expert=torch.arange(4),
        weight=torch.ones(4),
        num_experts=4,
        logits=torch.zeros(4, 4),
    )
    assert switch_loss(uniform) == 1
    routing = make_router(top_k=1)(features())
    probability = routing.logits.softmax(dim=1).mean(dim=0)
    fraction = routing.counts / 8
    expected = 4 * sum(fraction[o] * probability[o] for o in range(4))
    assert torch.allclose(switch_loss(routing), expected)


def test_router_z_loss():
    routing = make_router()(features())
    rows = routing.logits.tolist()
    expected = sum(
        math.log(sum(math.exp(v) for v in row)) ** 2 for row in rows
    )
    assert router_z_loss(routing).item() == pytest.approx(expected / 8)


def test_entropy_loss():
    routing = make_router()(features())
    rows = routing.logits.softmax(dim=1).tolist()
    expected = -sum(p * math.log(p) for row in rows for p in row)
    assert entropy_loss(routing).item() == pytest.approx(expected / 8)
    # A sure router, and no nodes.
    logits = torch.tensor([[0.0, 300.0]])
    sure = Routing.dense(torch.ones(1, 2), logits)
    assert entropy_loss(sure) == 0
    empty = Routing.dense(torch.ones(0, 2), logits[:0])
    assert entropy_loss(empty) == 0


@pytest.mark.parametrize('loss', [switch_loss, router_z_loss, entropy_loss])
def test_scores_are_needed(loss):
    routing = UniformRouter(3)(features())
    with pytest.raises(ValueError, match="'routing' must carry .* got none"):
        loss(routing)
    assert balance_loss(routing) < 1e-12
