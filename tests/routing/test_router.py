"""Every setting of the router, against the papers' formulas."""

import itertools
from contextlib import nullcontext

import entmax
import pytest
import torch

from gmoe.ops import eager_ops
from gmoe.routing import (
    ROUTER_PRESETS,
    Router,
    balance_loss,
    router_z_loss,
)
from gmoe.routing.normalize import NORMALIZATIONS
from tests.reference import load_probability, noisy_topk_gates

N, D, E = 7, 3, 4
SETTINGS = [
    {
        'score': score,
        'normalize': normalize,
        'top_k': top_k,
        'noise': noise,
        'topk_first': first,
    }
    for score, normalize, top_k, noise, first in itertools.product(
        ('linear', 'attention'),
        NORMALIZATIONS,
        (None, 1, 2, E),
        (True, False),
        (True, False),
    )
    if top_k is not None or first
]


@pytest.fixture(autouse=True, params=['fused', 'eager'])
def mode(request):
    with eager_ops() if request.param == 'eager' else nullcontext():
        yield request.param


def make_router(dtype=torch.float64, seed=0, **kwargs):
    torch.manual_seed(seed)
    if kwargs.get('top_k') is None:
        kwargs.pop('topk_first', None)
    router = Router(D, E, **kwargs).to(dtype)
    for parameter in router.parameters():
        parameter.data.normal_()
    return router


def features(num_nodes=N, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(num_nodes, D, generator=generator, dtype=dtype)


@pytest.mark.parametrize('kwargs', SETTINGS)
@pytest.mark.parametrize('training', [True, False])
def test_every_setting(kwargs, training):
    router = make_router(**kwargs).train(training)
    x = features()
    routing = router(x)
    top_k = kwargs['top_k'] or E
    slots = routing.ptr.diff()
    total = routing.gates.sum(dim=1)

    assert routing.num_nodes == N
    assert routing.num_experts == E
    assert int(routing.ptr[-1]) == routing.num_slots == routing.weight.numel()
    assert (routing.weight > 0).all()
    assert (slots <= top_k).all()
    if kwargs['normalize'] == 'softmax':
        assert (slots == top_k).all()
        assert routing.slots_per_node == top_k
    else:
        assert routing.slots_per_node is None
    if kwargs['topk_first']:
        assert torch.allclose(total, torch.ones_like(total))
        assert (slots >= 1).all()
    else:
        full = NORMALIZATIONS[kwargs['normalize']](routing.logits)
        kept = full.sort(descending=True).values[:, :top_k].sum(dim=1)
        assert torch.allclose(total, kept)
    # No expert twice at a node.
    pairs = routing.node * E + routing.expert
    assert pairs.unique().numel() == routing.num_slots

    clean = router.score_gate(x)
    noisy = training and kwargs['noise']
    assert torch.equal(routing.logits, clean) != noisy
    assert torch.equal(router(x).logits, routing.logits) != noisy
    has_load = noisy and kwargs['top_k'] is not None
    assert (routing.load_probabilities is not None) == has_load

    grads = torch.autograd.grad(
        (routing.gates * torch.arange(E)).sum() + routing.load.sum(),
        list(router.parameters()),
        allow_unused=True,
    )
    assert all(g is None or g.isfinite().all() for g in grads)


@pytest.mark.parametrize('top_k', [1, 2, 3])
def test_gates_and_load_of_the_papers(top_k):
    router = make_router(top_k=top_k)
    x = features()
    torch.manual_seed(3)
    routing = router(x)
    torch.manual_seed(3)
    noise = torch.randn(N, E, dtype=torch.float64)
    weights = (router.score_gate.weight, router.score_noise.weight)
    gates = noisy_topk_gates(x, *weights, noise, top_k)
    load = load_probability(x, *weights, noise, top_k)
    assert torch.allclose(routing.gates, gates, rtol=1e-12)
    assert torch.allclose(routing.load_probabilities, load, rtol=1e-9)
    assert torch.allclose(routing.load, load.sum(dim=0), rtol=1e-9)
    for value, expected in (
        (routing.load.square().sum(), load.sum(dim=0).square().sum()),
        (routing.gates.pow(3).sum(), gates.pow(3).sum()),
    ):
        for grad, slow in zip(
            torch.autograd.grad(value, weights, retain_graph=True),
            torch.autograd.grad(expected, weights, retain_graph=True),
        ):
            assert torch.allclose(grad, slow, rtol=1e-8, atol=1e-12)


def test_load_of_all_experts_is_one_each():
    routing = make_router(top_k=E)(features())
    assert torch.equal(routing.load, torch.full((E,), float(N)).double())


@pytest.mark.parametrize('normalize', ['sparsemax', 'entmax15'])
@pytest.mark.parametrize('top_k', [None, 3])
def test_exact_zeros_are_dropped(normalize, top_k):
    router = make_router(normalize=normalize, top_k=top_k, noise=False)
    routing = router(features(50))
    function = getattr(entmax, normalize)
    kept = min(top_k or E, E)
    ranked, order = routing.logits.sort(descending=True)
    weight = function(ranked[:, :kept], dim=-1)
    gates = torch.zeros(50, E).double().scatter(1, order[:, :kept], weight)
    assert torch.allclose(routing.gates, gates, atol=1e-12)
    slots = (gates > 0).sum(dim=1)
    assert torch.equal(routing.ptr.diff(), slots)
    assert slots.unique().numel() > 1


@pytest.mark.parametrize('preset', ROUTER_PRESETS)
def test_presets(preset):
    top_k = 2 if preset.endswith('topk') else None
    router = Router.from_preset(preset, D, E, top_k)
    assert preset.startswith(router.score)
    assert router.normalize in preset
    assert router.noise == router.topk_first == preset.endswith('topk')
    assert router.top_k == top_k
    assert router(features(dtype=torch.float32)).num_nodes == N


def test_six_presets_and_an_override():
    assert len(ROUTER_PRESETS) == 6
    name = 'linear_softmax_topk'
    router = Router.from_preset(name, D, E, 2, noise=False)
    assert not router.noise
    assert ROUTER_PRESETS[name]['noise']


@pytest.mark.parametrize('top_k', [1, 2, 3])
def test_ties_go_to_the_lower_id(top_k):
    # The gate starts at zero: all scores are equal.
    routing = Router(D, E, top_k).eval()(features(dtype=torch.float32))
    expected = torch.arange(top_k).repeat(N)
    assert torch.equal(routing.expert, expected)
    assert torch.allclose(routing.weight, torch.tensor(1 / top_k))
    # An unstable sort shows with many experts only.
    routing = Router(D, 100, top_k).eval()(features(dtype=torch.float32))
    assert torch.equal(routing.expert, expected)


@pytest.mark.parametrize('score', ['linear', 'attention'])
def test_types(score):
    for dtype, expected in (
        (torch.float64, torch.float64),
        (torch.float32, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float16, torch.float32),
    ):
        router = make_router(dtype=torch.float32, score=score, top_k=2)
        assert router(features().to(dtype)).weight.dtype == expected
    router = make_router(torch.float32, score=score, top_k=2).eval()
    x = features(dtype=torch.float32)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        routing = router(x)
    assert routing.logits.dtype == routing.weight.dtype == torch.float32
    assert torch.equal(routing.logits, router(x).logits)


@pytest.mark.parametrize('kwargs', SETTINGS)
def test_no_nodes(kwargs):
    router = make_router(**kwargs)
    routing = router(features(0))
    assert routing.ptr.tolist() == [0]
    assert routing.num_slots == 0
    assert routing.gates.shape == (0, E)
    assert routing.load.tolist() == [0] * E


@pytest.mark.parametrize('normalize', NORMALIZATIONS)
@pytest.mark.parametrize('top_k', [None, 1])
def test_one_expert(normalize, top_k):
    router = Router(D, 1, top_k, normalize=normalize)
    routing = router(features(dtype=torch.float32))
    assert torch.equal(routing.gates, torch.ones(N, 1))
    assert routing.load.tolist() == [N]


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        ({'in_channels': 0}, "'in_channels' must be an integer >= 1, got 0"),
        ({'num_experts': 0}, "'num_experts' must be an integer >= 1, got 0"),
        ({'num_experts': True}, "'num_experts'.* got True"),
        ({'num_experts': 2.0}, "'num_experts'.* got 2.0"),
        ({'top_k': 0}, "'top_k' must be None or .* num_experts=4, got 0"),
        ({'top_k': 5}, "'top_k' must be .* from 1 to .*4, got 5"),
        ({'top_k': 1.5}, "'top_k'.* got 1.5"),
        ({'top_k': True}, "'top_k'.* got True"),
        ({'score': 'mlp'}, r"'score' must be one of \['linear'.* 'mlp'"),
        ({'normalize': 'max'}, r"'normalize' must be one of \['soft.* 'max'"),
        ({'top_k': None, 'topk_first': True}, "'topk_first' .*, got True"),
        ({'top_k': None, 'topk_first': False}, "'topk_first'.*, got False"),
    ],
)
def test_refused_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        Router(**{'in_channels': D, 'num_experts': E, 'top_k': 2, **kwargs})


def test_refused_presets():
    with pytest.raises(ValueError, match=r"'preset' must be .*got 'linear'"):
        Router.from_preset('linear', D, E)
    with pytest.raises(ValueError, match="'top_k' must be an integer .*None"):
        Router.from_preset('linear_softmax_topk', D, E)
    with pytest.raises(ValueError, match="'top_k' must be None .*got 2"):
        Router.from_preset('attention_sparsemax', D, E, 2)


def test_refused_inputs():
    router = make_router(top_k=2)
    with pytest.raises(ValueError, match=r'\[num_nodes, 3\], got \[7, 4\]'):
        router(torch.zeros(N, D + 1))
    with pytest.raises(ValueError, match=r'got \[3\]'):
        router(torch.zeros(D))
    with pytest.raises(ValueError, match='floating-point tensor, got .*int64'):
        router(torch.zeros(N, D, dtype=torch.long))
    zero = Router(D, E, 2).double().eval()
    for value in (float('nan'), float('inf'), -float('inf')):
        x = features()
        x[4, 1] = value
        for module in (router, zero):
            with pytest.raises(ValueError, match="'x' must be .* node 4"):
                module(x)
    router.score_noise.weight.data[0] = float('nan')
    with pytest.raises(ValueError, match="router's parameters"):
        router(features())


def test_large_scores_are_finite():
    x = torch.full((N, D), 1e38)
    router = Router(D, E, 2).eval()
    router.score_gate.weight.data.fill_(1)
    assert router(x).logits.sum().isinf()
    assert router(x).num_slots == 2 * N


@pytest.mark.parametrize('mode', ['fused'], indirect=True)
@pytest.mark.parametrize('kwargs', SETTINGS)
def test_eager_ops_give_the_same(kwargs):
    router, x = make_router(**kwargs), features()
    results = []
    for context in (nullcontext(), eager_ops()):
        with context:
            torch.manual_seed(5)
            routing = router(x)
            slots = routing.by_expert
        loss = routing.gates.pow(2).sum() + routing.load.pow(2).sum()
        loss = loss + routing.logits.pow(2).sum() + slots.weight.pow(3).sum()
        results.append(
            [routing.expert, routing.weight, routing.logits, routing.load]
            + [slots.ptr, slots.node, slots.order]
            + list(torch.autograd.grad(loss, list(router.parameters())))
        )
    for fused, eager in zip(*results):
        assert fused.dtype == eager.dtype
        assert torch.allclose(fused, eager, rtol=1e-10)


@pytest.mark.parametrize(
    'kwargs',
    [
        {'top_k': 2},
        {'top_k': E},
        {'top_k': 2, 'topk_first': False},
        {'top_k': 2, 'noise': False},
        {'top_k': 2, 'score': 'attention'},
    ],
)
def test_compile_without_graph_breaks(kwargs):
    router = make_router(**kwargs)

    def function(x):
        routing = router(x)
        slots = routing.by_expert
        loss = balance_loss(routing) + router_z_loss(routing)
        return slots.weight, slots.node, slots.ptr, slots.order, loss

    torch._dynamo.reset()
    compiled = torch.compile(function, fullgraph=True, backend='aot_eager')
    for num_nodes in (7, 12, 30):
        results = []
        for run in (function, compiled):
            torch.manual_seed(2)
            out = run(features(num_nodes))
            value = out[0].square().sum() + out[-1]
            grads = torch.autograd.grad(value, list(router.parameters()))
            results.append([*out, *grads])
        for a, b in zip(*results):
            assert torch.allclose(a, b, rtol=1e-10)


@pytest.mark.parametrize('score', ['linear', 'attention'])
@pytest.mark.parametrize('normalize', NORMALIZATIONS)
@pytest.mark.parametrize('top_k', [None, 2])
def test_gradcheck(score, normalize, top_k):
    router = make_router(
        score=score, normalize=normalize, top_k=top_k, noise=top_k is not None
    )
    names = [name for name, _ in router.named_parameters()]

    def function(x, *parameters):
        torch.manual_seed(0)
        routing = torch.func.functional_call(
            router, dict(zip(names, parameters)), (x,)
        )
        return routing.gates, routing.load

    x = features().requires_grad_()
    assert torch.autograd.gradcheck(function, (x, *router.parameters()))


def test_state_dict_reset_and_repr():
    router, other = make_router(top_k=2), make_router(top_k=2, seed=9)
    other.load_state_dict(router.state_dict())
    x = features()
    assert torch.equal(router.eval()(x).gates, other.eval()(x).gates)
    assert set(router.state_dict()) == {
        'score_gate.weight',
        'score_noise.weight',
    }
    router.reset_parameters()
    assert all(p.abs().sum() == 0 for p in router.parameters())
    assert str(router) == (
        "Router(3, num_experts=4, top_k=2, score='linear', "
        "normalize='softmax', noise=True, topk_first=True)"
    )
