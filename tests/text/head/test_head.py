"""The grouped head against loops over examples."""

import sys

import pytest
import torch

from benchmarks.speed.bert_moe_head import make_heads
from gmoe.nn.experts.mlp import ACTIVATIONS, MLPExperts
from gmoe.routing import ROUTER_PRESETS, Router
from gmoe.text.head import MoeHead

# The name of the module is that of its function in the package.
OP = sys.modules['gmoe.ops.routed_mlp']


@pytest.fixture(params=['fused', 'grouped', 'dense'])
def path(request, monkeypatch):
    """How the experts are computed; all serve the sizes below."""
    if request.param != 'fused':
        monkeypatch.setattr(OP, 'MAX_ROWS', 0)
    if request.param == 'dense':
        monkeypatch.setattr(OP, '_grouped_mm', None)
    return request.param


def loop(experts, x, gates):
    # One expert on one example at a time.
    rows = []
    for i in range(x.size(0)):
        row = x.new_zeros(experts.weight2.size(2))
        for o in range(gates.size(1)):
            if gates[i, o] > 0:
                h = x[i] @ experts.weight1[o] + experts.bias1[o]
                h = ACTIVATIONS[experts.activation](h)
                h = h @ experts.weight2[o] + experts.bias2[o]
                row = row + gates[i, o] * h
        rows.append(row)
    return torch.stack(rows)


def grads(out, module, x):
    module.zero_grad()
    x.grad = None
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(out.shape, generator=generator, dtype=out.dtype)
    (out * weight).sum().backward()
    return [x.grad] + [
        torch.zeros_like(p) if p.grad is None else p.grad
        for p in module.parameters()
    ]


@pytest.mark.parametrize('top_k', [1, 2, 4])
def test_published_loop(path, top_k):
    torch.manual_seed(0)
    head, slow = make_heads(48, 5, num_experts=4, top_k=top_k, hidden=24)
    x = torch.randn(16, 48, requires_grad=True)
    out, routing = head(x)
    expected = slow(x)
    assert routing.slots_per_node == top_k
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-5)
    fast = dict(
        zip(['x', *dict(head.named_parameters())], grads(out, head, x))
    )
    names = ['x', *dict(slow.named_parameters())]
    other = dict(zip(names, grads(expected, slow, x)))
    pairs = [
        (fast['x'], other['x']),
        (fast['router.score_gate.weight'], other['gate.weight'].t()),
        (fast['classifier.weight'], other['classifier.weight']),
    ]
    for o in range(4):
        for layer, place in ((1, 0), (2, 2)):
            weight = other[f'experts.{o}.{place}.weight']
            bias = other[f'experts.{o}.{place}.bias']
            pairs.append((fast[f'experts.weight{layer}'][o], weight.t()))
            pairs.append((fast[f'experts.bias{layer}'][o], bias))
    for a, b in pairs:
        torch.testing.assert_close(a, b, rtol=0, atol=1e-5)


@pytest.mark.parametrize('preset', sorted(ROUTER_PRESETS))
@pytest.mark.parametrize('activation', sorted(ACTIVATIONS))
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_every_preset(path, preset, activation, dtype):
    torch.manual_seed(0)
    top_k = 2 if preset.endswith('topk') else None
    head = MoeHead(12, 3, 5, top_k, 8, activation, preset, dropout=0.0).to(
        dtype
    )
    for p in head.router.parameters():
        torch.nn.init.normal_(p)
    x = torch.randn(7, 12, dtype=dtype, requires_grad=True)
    torch.manual_seed(1)  # The same noise.
    out, _ = head(x)
    torch.manual_seed(1)
    gates = head.router(x).gates
    expected = head.classifier(loop(head.experts, x, gates))
    torch.testing.assert_close(out, expected, rtol=1e-5, atol=1e-5)
    for a, b in zip(grads(out, head, x), grads(expected, head, x)):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('sizes', [(12, 8), (13, 8), (12, 7)])
@pytest.mark.parametrize('num_nodes', [0, 1, 5])
def test_other_paths_and_dense(path, sizes, num_nodes, monkeypatch):
    torch.manual_seed(0)
    experts = MLPExperts(*sizes, 4, num_experts=6)
    router = Router(sizes[0], 6, top_k=1)  # Most experts have no rows.
    x = torch.randn(num_nodes, sizes[0], requires_grad=True)
    routing = router(x).detach()
    fast = experts(x, routing)
    monkeypatch.setattr(OP, 'MAX_ROWS', 0)
    monkeypatch.setattr(OP, '_grouped_mm', None)
    slow = experts(x, routing)
    torch.testing.assert_close(fast, slow, rtol=1e-5, atol=1e-5)
    for a, b in zip(grads(fast, experts, x), grads(slow, experts, x)):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def test_gradcheck():
    torch.manual_seed(0)
    head = MoeHead(4, 2, 3, 2, 3, 'tanh', dropout=0.0, noise=False).double()
    torch.nn.init.normal_(head.router.score_gate.weight)
    x = torch.randn(3, 4, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: head(x)[0], x)


def test_an_example_does_not_depend_on_the_batch():
    torch.manual_seed(0)
    head = MoeHead(12, 3).eval()
    torch.nn.init.normal_(head.router.score_gate.weight)
    x = torch.randn(6, 12)
    singles = torch.cat([head(row[None])[0] for row in x])
    torch.testing.assert_close(head(x)[0], singles)


def compiled(module, fullgraph=True):
    torch._dynamo.reset()
    return torch.compile(module, backend='aot_eager', fullgraph=fullgraph)


@pytest.mark.parametrize(
    ('preset', 'num_texts'),
    [
        ('linear_softmax_topk', 16),
        ('linear_softmax_topk', 700),
        ('attention_softmax', 16),
        ('linear_sparsemax', 16),
    ],
)
def test_compiled(preset, num_texts):
    # Few texts are for the fused op, many for the grouped product.
    torch.manual_seed(0)
    top_k = 2 if preset.endswith('topk') else None
    head = MoeHead(12, 3, 4, top_k, 8, router=preset, dropout=0.0, noise=False)
    for p in head.router.parameters():
        torch.nn.init.normal_(p)
    x = torch.randn(num_texts, 12, requires_grad=True)
    expected, routing = head(x)
    # Sparsemax gives each text its own number of experts.
    out, other = compiled(head, fullgraph='sparsemax' not in preset)(x)
    torch.testing.assert_close(out, expected)
    torch.testing.assert_close(other.gates, routing.gates)
    for a, b in zip(grads(out, head, x), grads(expected, head, x)):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_compiled_for_any_number_of_texts():
    torch.manual_seed(0)
    head = MoeHead(12, 3).eval()
    torch.nn.init.normal_(head.router.score_gate.weight)
    torch._dynamo.reset()
    fast = torch.compile(head, backend='aot_eager', dynamic=True)
    for num_texts in (16, 700, 5):
        x = torch.randn(num_texts, 12)
        torch.testing.assert_close(fast(x)[0], head(x)[0])


@pytest.mark.parametrize(('num_texts', 'strict'), [(16, False), (700, True)])
def test_exported(num_texts, strict):
    class Logits(torch.nn.Module):
        def __init__(self, head):
            super().__init__()
            self.head = head

        def forward(self, x):
            return self.head(x)[0]

    torch.manual_seed(0)
    head = MoeHead(12, 3).eval()
    torch.nn.init.normal_(head.router.score_gate.weight)
    x = torch.randn(num_texts, 12)
    texts = torch.export.Dim('texts', min=2)
    program = torch.export.export(
        Logits(head), (x,), dynamic_shapes=({0: texts},), strict=strict
    )
    for rows in (x, x[:3]):
        torch.testing.assert_close(program.module()(rows), head(rows)[0])


def test_empty_batch():
    out, routing = MoeHead(12, 3)(torch.empty(0, 12))
    assert out.shape == (0, 3)
    assert routing.num_nodes == 0


def test_low_precision():
    head = MoeHead(12, 3).bfloat16().eval()
    out, routing = head(torch.randn(4, 12, dtype=torch.bfloat16))
    assert out.dtype == torch.bfloat16
    assert routing.weight.dtype == torch.float32
