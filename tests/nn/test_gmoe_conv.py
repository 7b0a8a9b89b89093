"""The layer against the slow per-node reference, and its properties."""

from functools import partial

import pytest
import torch
from hypothesis import given, settings

from gmoe.nn import (
    GCNExperts,
    GINExperts,
    GMoEConv,
    LinearGCNConv,
    LinearGCNExperts,
    OGBGCNConv,
    OGBGINConv,
    RelationalConv,
    RelationalExperts,
)
from gmoe.ops import AVAILABLE, eager_ops
from gmoe.routing import ROUTER_PRESETS, Router, collect_routing
from gmoe.testing import (
    assert_batch_equals_singles,
    assert_edge_order_invariant,
    assert_permutation_equivariant,
)
from gmoe.transforms import TwoHop
from tests.graphs import EDGE_DIMS, graphs, random_graph
from tests.reference import noisy_topk_gates, slow_layer, triples

BANKS = {
    'gcn': GCNExperts,
    'linear_gcn': LinearGCNExperts,
    'gin': GINExperts,
    'mult': RelationalExperts,
    'sub': partial(RelationalExperts, composition='sub'),
    'gate': partial(RelationalExperts, composition='gate'),
}


@pytest.fixture(autouse=True, params=['fused', 'eager'], scope='module')
def back_end(request):
    if request.param == 'fused':
        if not AVAILABLE:
            pytest.skip('no fused ops built')
        yield
    else:
        with eager_ops():
            yield


PRESETS = [
    *((preset, {}) for preset in ROUTER_PRESETS),
    ('linear_softmax_topk', {'normalize': 'sparsemax'}),
    ('attention_softmax_topk', {'normalize': 'entmax15'}),
    ('linear_softmax_topk', {'topk_first': False}),
    ('linear_softmax_topk', {'topk_first': False, 'normalize': 'sparsemax'}),
]


def make_conv(
    kind='gcn',
    num_experts=4,
    num_experts_1hop=2,
    top_k=2,
    preset='linear_softmax_topk',
    seed=0,
    dtype=torch.float64,
    **kwargs,
):
    torch.manual_seed(seed)
    router_kwargs = kwargs.pop('router', {})
    bank = BANKS[kind](4, 4, num_experts, num_experts_1hop, EDGE_DIMS)
    router = Router.from_preset(
        preset,
        4,
        num_experts,
        top_k if preset.endswith('topk') else None,
        **router_kwargs,
    )
    conv = GMoEConv(bank, router=router, **kwargs).to(dtype)
    # Everything away from its special initial value.
    for parameter in conv.parameters():
        parameter.data.normal_()
    for name, buffer in conv.named_buffers():
        if 'running' in name:
            buffer.uniform_(0.5, 1.5)
    return conv


def call(conv, data, **kwargs):
    return conv(
        data.x,
        data.edge_index,
        data.edge_attr,
        data.get('edge_index_2hop'),
        data.get('edge_attr_2hop'),
        **kwargs,
    )


def assert_like_reference(conv, data):
    data = TwoHop()(data)
    data.x = data.x.clone().requires_grad_()
    edges1 = triples(data.edge_index, data.edge_attr)
    edges2 = triples(data.edge_index_2hop, data.edge_attr_2hop)
    torch.manual_seed(5)
    slow = slow_layer(conv, data.x, conv.router(data.x).gates, edges1, edges2)
    torch.manual_seed(5)
    out = call(conv, data)
    assert torch.allclose(out, slow, rtol=1e-10, atol=1e-10)

    inputs = [data.x, *conv.parameters()]
    direction = torch.randn_like(out)
    grads, slow_grads = (
        torch.autograd.grad(
            (value * direction).sum(),
            inputs,
            retain_graph=True,
            allow_unused=True,
        )
        for value in (out, slow)
    )
    for grad, slow_grad in zip(grads, slow_grads):
        if slow_grad is None:
            assert grad is None or grad.abs().max() == 0
        else:
            assert torch.allclose(grad, slow_grad, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize('kind', BANKS)
@pytest.mark.parametrize('num_experts_1hop', [0, 2, 4])
@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('combine', ['sum', 'mean'])
@pytest.mark.parametrize('dispatch', ['sparse', 'dense'])
def test_reference(kind, num_experts_1hop, training, combine, dispatch):
    conv = make_conv(
        kind, 4, num_experts_1hop, combine=combine, dispatch=dispatch
    )
    assert_like_reference(conv.train(training), random_graph(seed=1))


@pytest.mark.parametrize('kind', BANKS)
@pytest.mark.parametrize(('preset', 'router'), PRESETS)
@pytest.mark.parametrize('training', [True, False])
def test_reference_router_presets(kind, preset, router, training):
    conv = make_conv(kind, preset=preset, router=router)
    assert_like_reference(conv.train(training), random_graph(seed=2))


@pytest.mark.parametrize('training', [True, False])
def test_reference_gates(training):
    conv = make_conv().train(training)
    data = TwoHop()(random_graph(seed=3))
    torch.manual_seed(12)
    _, routing = call(conv, data, return_routing=True)
    torch.manual_seed(12)
    noise = torch.randn(9, 4, dtype=torch.float64) * training
    gates = noisy_topk_gates(
        data.x,
        conv.router.score_gate.weight,
        conv.router.score_noise.weight,
        noise,
        k=2,
    )
    assert torch.allclose(routing.gates, gates, rtol=1e-12)


@settings(max_examples=40, deadline=None)
@given(graphs())
def test_reference_random_graphs(data):
    for kind in BANKS:
        for training in (True, False):
            assert_like_reference(make_conv(kind).train(training), data)


@pytest.mark.parametrize('kind', BANKS)
@pytest.mark.parametrize(('preset', 'router'), PRESETS)
def test_sparse_equals_dense_in_evaluation(kind, preset, router):
    data = TwoHop()(random_graph(20, 40, seed=4))
    sparse = make_conv(kind, preset=preset, router=router).eval()
    dense = make_conv(
        kind, preset=preset, router=router, dispatch='dense'
    ).eval()
    assert torch.allclose(
        call(sparse, data), call(dense, data), rtol=1e-10, atol=1e-12
    )


@pytest.mark.parametrize('training', [True, False])
def test_dense_is_for_training(training):
    conv = make_conv(dispatch='dense').train(training)
    sizes = []
    conv.experts.register_forward_pre_hook(
        lambda module, args: sizes.append(args[1].node.numel())
    )
    data = TwoHop()(random_graph(seed=5))
    _, routing = call(conv, data, return_routing=True)
    every = data.num_nodes * conv.experts.num_experts
    assert sizes == [every if training else routing.num_slots]
    assert routing.num_slots < every


@pytest.mark.parametrize('kind', BANKS)
@pytest.mark.parametrize('training', [True, False])
def test_float32_is_close_to_float64(kind, training):
    data = TwoHop()(random_graph(20, 40, seed=4))
    conv = make_conv(kind, router={'noise': False}).train(training)
    out = call(conv, data)
    data.x = data.x.float()
    conv = make_conv(kind, router={'noise': False}).float().train(training)
    low = call(conv, data)
    assert low.dtype == torch.float32
    assert torch.allclose(low.double(), out, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize('kind', BANKS)
def test_node_permutation(kind):
    conv = make_conv(kind, router={'noise': False}).train()
    assert_permutation_equivariant(
        lambda data: call(conv, TwoHop()(data)),
        random_graph(12, 30, seed=5),
        rtol=1e-9,
        atol=1e-11,
    )


@pytest.mark.parametrize('kind', BANKS)
def test_edge_order(kind):
    conv = make_conv(kind).eval()
    assert_edge_order_invariant(
        lambda data: call(conv, TwoHop()(data)),
        random_graph(12, 30, seed=6),
        rtol=1e-9,
        atol=1e-11,
    )


@pytest.mark.parametrize('kind', BANKS)
def test_expert_order(kind):
    conv = make_conv(kind, num_experts_1hop=4).eval()
    data = TwoHop()(random_graph(12, 30, seed=7))
    out = call(conv, data)
    perm = torch.tensor([2, 0, 3, 1])
    for name, value in conv.state_dict(keep_vars=True).items():
        if name.startswith('router.'):
            value.data = value.data[:, perm]
        elif value.dim() > 0 and value.size(0) == 4:
            # Relational experts share the encoders of edges.
            value.data = value.data[perm]
    assert torch.allclose(call(conv, data), out, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize('kind', BANKS)
@pytest.mark.parametrize('dispatch', ['sparse', 'dense'])
def test_batch_equals_singles(kind, dispatch):
    conv = make_conv(kind, dispatch=dispatch).eval()
    sizes = [(5, 8), (1, 0), (7, 14), (3, 0), (2, 2)]
    assert_batch_equals_singles(
        lambda data: call(conv, TwoHop()(data)),
        [random_graph(n, e, seed=seed) for seed, (n, e) in enumerate(sizes)],
        rtol=1e-10,
        atol=1e-12,
    )


@pytest.mark.parametrize('hop', [1, 2])
@pytest.mark.parametrize('kind', BANKS)
def test_one_expert_equals_plain_conv(kind, hop):
    conv = make_conv(kind, 1, 2 - hop, 1, norm=None)
    experts = conv.experts
    kinds = {
        'gcn': OGBGCNConv,
        'linear_gcn': LinearGCNConv,
        'gin': OGBGINConv,
    }
    if kind in kinds:
        plain = kinds[kind](4, 4, EDGE_DIMS * hop).double()
    else:
        plain = RelationalConv(4, 4, EDGE_DIMS * hop, kind).double()
    encoder = experts.edge_encoders.encoders[f'{hop}hop']
    plain.edge_encoder.weight.data = encoder.weight.data[0].flatten(0, 1)
    if kind.endswith('gcn'):
        plain.linear.weight.data = experts.weight.data[0].t()
        plain.linear.bias.data = experts.bias.data[0]
        plain.root.data = experts.root.data[0]
    elif kind != 'gin':
        plain.linear.weight.data = experts.weight.data[0].t()
        plain.linear.bias.data = experts.bias.data[0]
        plain.root.weight.data = experts.root.data[0].t()
    else:
        plain.eps.data = experts.eps.data
        plain.mlp[0].weight.data = experts.weight1.data[0].t()
        plain.mlp[0].bias.data = experts.bias1.data[0]
        plain.mlp[1].weight.data = experts.norm.weight.data[0]
        plain.mlp[1].bias.data = experts.norm.bias.data[0]
        plain.mlp[1].running_mean.copy_(experts.norm.running_mean[0])
        plain.mlp[1].running_var.copy_(experts.norm.running_var[0])
        plain.mlp[3].weight.data = experts.weight2.data[0].t()
        plain.mlp[3].bias.data = experts.bias2.data[0]
    data = TwoHop()(random_graph(15, 30, seed=8))
    edges = (
        (data.edge_index, data.edge_attr)
        if hop == 1
        else (data.edge_index_2hop, data.edge_attr_2hop)
    )
    for training in (True, False):
        out = call(conv.train(training), data)
        expected = plain.train(training)(data.x, *edges)
        assert torch.allclose(out, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize('kind', BANKS)
def test_gradcheck(kind):
    conv = make_conv(kind, router={'noise': False}).train()
    data = TwoHop()(random_graph(6, 9, seed=9))
    data.x.requires_grad_()
    for name, buffer in conv.named_buffers():
        if 'running' in name:
            buffer.requires_grad_(False)

    def function(x, *parameters):
        names = [name for name, _ in conv.named_parameters()]
        return torch.func.functional_call(
            conv,
            dict(zip(names, parameters)),
            (
                x,
                data.edge_index,
                data.edge_attr,
                data.edge_index_2hop,
                data.edge_attr_2hop,
            ),
        )

    # Off the kink that a bias makes exactly where ReLU is not differentiable.
    # In a random direction: each entry is compared in test_reference.
    inputs = (data.x, *conv.parameters())
    assert torch.autograd.gradcheck(
        function, inputs, eps=1e-7, atol=1e-4, fast_mode=True
    )


@pytest.mark.parametrize('kind', BANKS)
@pytest.mark.parametrize('num_nodes', [0, 1, 2])
def test_few_nodes_and_unchosen_experts(kind, num_nodes):
    # Fewer nodes than experts: some experts get no node, others one.
    conv = make_conv(kind, num_experts=8, num_experts_1hop=4).train()
    data = TwoHop()(random_graph(num_nodes, 0))
    before = {k: v.clone() for k, v in conv.named_buffers() if 'running' in k}
    out = call(conv, data)
    assert out.shape == (num_nodes, 4)
    out.sum().backward()
    assert out.isfinite().all()
    for parameter in conv.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()
    for name, buffer in conv.named_buffers():
        assert buffer.isfinite().all()
        if num_nodes < 2 and name in before:
            assert torch.equal(buffer, before[name])


SELECTS = {
    'top_p': {'select_kwargs': {'p': 0.6}},
    'top_any': {'score': 'cosine'},
    'balanced_top_k': {'top_k': 2},
    'expert_choice': {'select_kwargs': {'capacity_factor': 1}},
}


@pytest.mark.parametrize('kind', ['gcn', 'gin', 'mult'])
@pytest.mark.parametrize('select', SELECTS)
@pytest.mark.parametrize('dispatch', ['sparse', 'dense'])
def test_reference_selections(kind, select, dispatch):
    router = Router(4, 4, select=select, noise=False, **SELECTS[select])
    conv = make_conv(kind, dispatch=dispatch)
    conv.router = router.double()
    torch.nn.init.normal_(router.score_gate.weight)
    assert_like_reference(conv.train(), random_graph(seed=2))


@pytest.mark.parametrize(
    'router',
    [
        Router(4, 4, select='expert_choice', noise=False),
        Router(4, 4, top_k=2, level='graph'),
    ],
)
def test_router_that_sees_graphs(router):
    conv = make_conv('gcn')
    conv.router = router.double()
    torch.nn.init.normal_(router.score_gate.weight)
    sizes = [(5, 8), (1, 0), (7, 14)]
    assert_batch_equals_singles(
        lambda data: call(conv.eval(), TwoHop()(data), batch=data.batch),
        [random_graph(n, e, seed=seed) for seed, (n, e) in enumerate(sizes)],
        rtol=1e-10,
        atol=1e-12,
    )
    assert conv.needs_batch
    with pytest.raises(TypeError, match='batch'):
        call(make_conv(), TwoHop()(random_graph()), batch=torch.zeros(9))


def test_same_bits_every_run():
    conv = make_conv(dtype=torch.float32).train()
    data = TwoHop()(random_graph(50, 120, dtype=torch.float32))

    def run():
        torch.manual_seed(0)
        conv.zero_grad()
        out = call(conv, data)
        out.square().sum().backward()
        return [out, *(p.grad for p in conv.parameters())]

    for first, second in zip(run(), run()):
        assert torch.equal(first, second)


@pytest.mark.parametrize('kind', BANKS)
def test_bfloat16_autocast(kind):
    conv = make_conv(kind, dtype=torch.float32).train()
    data = TwoHop()(random_graph(20, 40, dtype=torch.float32))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        out, routing = call(conv, data, return_routing=True)
    assert routing.weight.dtype == torch.float32
    assert routing.logits.dtype == torch.float32
    out.float().sum().backward()
    for parameter in conv.parameters():
        assert parameter.grad.isfinite().all()


def test_float_edge_features():
    torch.manual_seed(0)
    data = TwoHop()(random_graph(10, 20))
    data.edge_attr = torch.randn(20, 3).double()
    width = data.edge_index_2hop.size(1)
    data.edge_attr_2hop = torch.randn(width, 6).double()
    # Linear messages have categories alone, as their test says.
    for bank in {*BANKS.values()} - {LinearGCNExperts}:
        conv = GMoEConv(bank(4, 4, 4, 2, edge_dims=3), top_k=2).double()
        out = call(conv, data)
        out.sum().backward()
        assert out.shape == (10, 4)
        assert all(p.grad is not None for p in conv.parameters())


def test_many_edge_codes_equal_few(monkeypatch):
    # Tables hold all codes where looking at them would be a wait for a GPU,
    # below a limit; else only those that occur.
    from gmoe.nn.encoders import edge_encoder

    conv = make_conv().eval()
    data = TwoHop()(random_graph(10, 20))
    few = call(conv, data)
    monkeypatch.setattr(edge_encoder, 'sees_values', lambda tensor: False)
    assert torch.allclose(call(conv, data), few, rtol=1e-12)
    monkeypatch.setattr(edge_encoder, '_MAX_CODES', 1)
    assert torch.allclose(call(conv, data), few, rtol=1e-12)


def test_without_edge_features():
    conv = GMoEConv(GCNExperts(4, 6, 3), top_k=2).double()
    data = random_graph()
    out, routing = conv(data.x, data.edge_index, return_routing=True)
    assert out.shape == (9, 6)
    assert routing.num_slots == 18
    with collect_routing(conv) as routings:
        conv(data.x, data.edge_index)
    assert [r.num_slots for r in routings] == [18]
    assert routings.names == ['router']
    assert str(conv).startswith('GMoEConv(')


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'x': torch.randn(9, 5).double()}, r"'x' must have shape .*, 4\]"),
        ({'x': torch.ones(9, 4, dtype=torch.long)}, "'x' must be a floating"),
        ({'x': torch.full((9, 4), torch.nan).double()}, 'must be finite'),
        ({'x': torch.ones(9, 4)}, 'type torch.float64 of .*got torch.float32'),
        ({'edge_index': torch.full((2, 14), 9)}, 'from 0 to 8, got 9'),
        ({'edge_index': torch.full((2, 14), -1)}, 'from 0 to 8, got -1'),
        ({'edge_index': torch.zeros(3, 14).long()}, r'shape \[2, num_edges'),
        ({'edge_index': torch.zeros(2, 14)}, 'type torch.int64'),
        ({'edge_index': None}, "'edge_index' must be a tensor"),
        ({'edge_attr': torch.zeros(13, 3).long()}, 'num_edges=14'),
        ({'edge_attr': torch.zeros(14, 2).long()}, r'shape \[\*, 3\]'),
        ({'edge_attr': torch.full((14, 3), 7)}, 'from 0 to 4 in column 0'),
        ({'edge_attr': None}, "'edge_attr' must be given"),
        ({'edge_index_2hop': None}, 'gmoe.transforms.TwoHop'),
        ({'edge_attr_2hop': None}, "'edge_attr_2hop' must be given"),
    ],
)
def test_bad_input(change, message):
    data = TwoHop()(random_graph())
    for key, value in change.items():
        data[key] = value
    with pytest.raises(ValueError, match=message):
        call(make_conv(), data)


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        ({'combine': 'max'}, "'combine'"),
        ({'dispatch': 'auto'}, "'dispatch'"),
        ({'norm': 'group'}, "'norm' must be one of .*, got 'group'"),
        ({'top_k': 5}, "'top_k' must be"),
        ({'num_experts_1hop': 5}, "'num_experts_1hop'"),
        ({'num_experts': 0}, "'num_experts'"),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        make_conv(**kwargs)


def test_router_must_fit():
    with pytest.raises(ValueError, match='same number of experts'):
        GMoEConv(GCNExperts(4, 4, 3), router=Router(4, 2, 1))
    with pytest.raises(ValueError, match="'top_k' or 'router' must"):
        GMoEConv(GCNExperts(4, 4, 3))
