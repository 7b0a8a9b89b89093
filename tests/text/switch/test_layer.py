"""A mixture of feed-forward networks against all of them at each token."""

import pytest
import torch

reason = "the extra 'text' is not installed"
pytest.importorskip('transformers', reason=reason)

from gmoe.text import SwitchMoeConfig  # noqa: E402
from gmoe.text.switch import layer as module  # noqa: E402
from gmoe.text.switch.layer import SwitchMoeLayer  # noqa: E402
from tests.text.switch.tiny import ROUTERS, SIZES  # noqa: E402

X = torch.randn(
    3, 5, 16, dtype=torch.double, generator=torch.Generator().manual_seed(0)
)
TOKENS = torch.tensor([[1, 1, 1, 1, 1], [0, 0, 1, 1, 1], [1, 1, 0, 0, 0]])


def make(**settings):
    torch.manual_seed(0)
    layer = SwitchMoeLayer(SwitchMoeConfig(**{**SIZES, **settings})).double()
    with torch.no_grad():
        for parameter in layer.router.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return layer.eval()


def reference(layer, x, tokens):
    """Token by token, expert by expert."""
    out = torch.zeros_like(x)
    for row, column in tokens.nonzero().tolist():
        token = x[row, column]
        gates = layer.router(token.unsqueeze(0)).gates[0]
        for gate, expert in zip(gates, layer.experts.values()):
            hidden = torch.relu(expert.wi.weight @ token)
            out[row, column] += gate * (expert.wo.weight @ hidden)
    return out


def gradients(layer):
    # Of what no token reaches there is none.
    return {
        name: torch.zeros_like(p) if p.grad is None else p.grad.clone()
        for name, p in layer.named_parameters()
    }


@pytest.mark.parametrize('masked', [False, True])
@pytest.mark.parametrize('router', ROUTERS)
def test_like_reference(router, masked):
    layer, tokens = make(router=router), TOKENS
    if not masked:
        tokens = torch.ones_like(TOKENS)
    results = []
    for run in (layer, lambda x: reference(layer, x, tokens)):
        layer.zero_grad()
        x = X.clone().requires_grad_()
        with layer.given(tokens if masked else None, None):
            out = run(x)
        (out * X.flip(0)).sum().backward()
        results.append((out, x.grad, gradients(layer)))
    torch.testing.assert_close(*results)


def test_padding_is_not_routed():
    layer, routings = make(), []
    with layer.given(TOKENS, routings):
        out = layer(X)
    assert [routing.num_nodes for routing in routings] == [10]
    assert not out[TOKENS == 0].any()
    # The next call knows nothing of it.
    assert (layer(X)[TOKENS == 0] != 0).any(-1).all()
    assert len(routings) == 1
    x = X.clone()
    x[TOKENS == 0] = torch.inf
    with layer.given(TOKENS, None):
        torch.testing.assert_close(layer(x), out)


def test_no_tokens():
    layer = make()
    with layer.given(torch.zeros_like(TOKENS), None):
        assert not layer(X).any()
    assert layer(X[:0]).shape == (0, 5, 16)


@pytest.mark.parametrize('processes', [False, True])
def test_experts_without_tokens(processes, monkeypatch):
    monkeypatch.setattr(module, 'is_distributed', lambda: processes)
    layer = make(num_experts=4, experts_per_token=1, router_noise=False)
    with torch.no_grad():
        layer.router.score_gate.weight.zero_()
    calls = []
    for name, expert in layer.experts.items():
        expert.register_forward_hook(
            lambda module, args, out, name=name: calls.append(name)
        )
    layer(X).sum().backward()
    assert calls == ['expert_0']
    layer.zero_grad()
    layer.train()(X).sum().backward()
    grad = layer.experts['expert_3'].wi.weight.grad
    if processes:  # Which wait for the gradients of all parameters.
        assert grad is not None
        assert not grad.any()
    else:
        assert grad is None


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_scores_stay_wide(dtype):
    layer, routings = make().float(), []
    with layer.given(None, routings), torch.autocast('cpu', dtype):
        assert layer(X.float()).dtype == dtype
    plain = layer.router(X.float().view(-1, 16))
    assert routings[0].logits.dtype == torch.float32
    assert torch.equal(routings[0].logits, plain.logits)
    layer, routings = layer.to(dtype), []
    with layer.given(None, routings):
        assert layer(X.to(dtype)).dtype == dtype
    assert routings[0].weight.dtype == torch.float32
