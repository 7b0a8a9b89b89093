"""Banks of PyG convolutions against each of them on the whole graph."""

import copy

import pytest
import torch
from torch import nn
from torch_geometric.nn import (
    GATConv,
    GATv2Conv,
    GCNConv,
    GINConv,
    GINEConv,
    GraphConv,
    LEConv,
    MessagePassing,
    NNConv,
    ResGatedGraphConv,
    SAGEConv,
    TransformerConv,
)

from gmoe.nn import GMoEConv, ModuleExperts
from gmoe.routing import Router
from gmoe.transforms import TwoHop
from tests.graphs import random_graph

KINDS = {
    'gat': lambda f: GATConv(4, 4, edge_dim=f),
    'gatv2': lambda f: GATv2Conv(4, 2, heads=2, edge_dim=f),
    'gatv2_mean': lambda f: GATv2Conv(4, 4, heads=2, concat=False, edge_dim=f),
    'sage': lambda f: SAGEConv(4, 4),
    'sage_max': lambda f: SAGEConv(4, 4, aggr='max', project=True),
    'transformer': lambda f: TransformerConv(4, 4, edge_dim=f, beta=True),
    'gin': lambda f: GINConv(nn.Sequential(nn.Linear(4, 4), nn.Tanh())),
    'gine': lambda f: GINEConv(nn.Linear(4, 4), edge_dim=f),
    'nn': lambda f: NNConv(4, 4, nn.Linear(f, 16)),
    'res_gated': lambda f: ResGatedGraphConv(4, 4, edge_dim=f),
    'reverse_sage': lambda f: SAGEConv(4, 4, flow='target_to_source'),
}
MIX = ['gatv2', 'sage', 'transformer', 'gin', 'nn', 'reverse_sage']


def make_conv(kinds, m=None, seed=0, **kwargs):
    torch.manual_seed(seed)
    m = len(kinds) if m is None else m
    modules = [
        KINDS[kind](3 if expert < m else 6) if isinstance(kind, str) else kind
        for expert, kind in enumerate(kinds)
    ]
    local = kwargs.pop('local', None)
    bank = ModuleExperts(modules, m, local)
    conv = GMoEConv(bank, top_k=2, norm=None, **kwargs).double()
    for parameter in conv.parameters():
        parameter.data.normal_()
    return conv


def make_data(num_nodes=12, num_edges=30, with_attr=True, seed=0):
    data = TwoHop()(random_graph(num_nodes, num_edges, seed=seed))
    del data.edge_attr, data.edge_attr_2hop
    if with_attr:
        generator = torch.Generator().manual_seed(seed)
        for name, width in (('', 3), ('_2hop', 6)):
            size = data[f'edge_index{name}'].size(1)
            attr = torch.randn(size, width, generator=generator).double()
            data[f'edge_attr{name}'] = attr
    return data


def arguments(data):
    return (
        data.x,
        data.edge_index,
        data.get('edge_attr'),
        data.edge_index_2hop,
        data.get('edge_attr_2hop'),
    )


def slow_layer(conv, data, gates):
    """Every expert on the whole graph."""
    out = 0
    for o, expert in enumerate(conv.experts.experts):
        hop = '' if o < conv.experts.num_experts_1hop else '_2hop'
        edge_index = data[f'edge_index{hop}']
        edge_attr = data.get(f'edge_attr{hop}')
        names = expert.forward.__code__.co_varnames
        if edge_attr is None or 'edge_attr' not in names:
            h = expert(data.x, edge_index)
        else:
            h = expert(data.x, edge_index, edge_attr=edge_attr)
        out = out + gates[:, o : o + 1] * h
    return out


def assert_like_each_expert(conv, data):
    data.x.requires_grad_()
    torch.manual_seed(7)
    expected = slow_layer(conv, data, conv.router(data.x).gates)
    inputs = [data.x, *conv.parameters()]
    slow = torch.autograd.grad(
        expected.pow(2).sum(), inputs, allow_unused=True
    )
    for dispatch in ('sparse', 'dense'):
        conv.dispatch = dispatch
        torch.manual_seed(7)
        out = conv(*arguments(data))
        assert torch.allclose(out, expected, rtol=1e-9, atol=1e-10)
        grads = torch.autograd.grad(
            out.pow(2).sum(), inputs, allow_unused=True
        )
        for grad, slow_grad in zip(grads, slow):
            if slow_grad is None:
                assert grad is None or grad.abs().sum() == 0
            else:
                assert torch.allclose(grad, slow_grad, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('training', [True, False])
def test_each_kind(kind, training):
    conv = make_conv([kind] * 4).train(training)
    assert_like_each_expert(conv, make_data())


@pytest.mark.parametrize('m', [0, 3, 6])
@pytest.mark.parametrize('training', [True, False])
def test_mix_of_kinds_and_hops(m, training):
    conv = make_conv(MIX, m).train(training)
    assert_like_each_expert(conv, make_data(seed=1))


@pytest.mark.parametrize('kind', [GCNConv, GraphConv, LEConv])
@pytest.mark.parametrize('weighted', [True, False])
def test_edge_weights(kind, weighted):
    # GCNConv is not local: its weights depend on the neighbours' degrees.
    modules = [kind(4, 4) for _ in range(4)]
    conv = make_conv(modules, m=2)
    data = make_data(with_attr=False)
    args = list(arguments(data))
    if weighted:
        for position in (2, 4):
            size = args[position - 1].size(1)
            args[position] = torch.rand(size, 1).double() + 0.5
    torch.manual_seed(7)
    gates = conv.router(data.x).gates
    expected = 0
    for o, module in enumerate(modules):
        edge_index, weight = args[1:3] if o < 2 else args[3:5]
        weight = None if weight is None else weight.view(-1)
        h = module(data.x, edge_index, edge_weight=weight)
        expected = expected + gates[:, o : o + 1] * h
    torch.manual_seed(7)
    assert torch.allclose(conv(*args), expected, rtol=1e-9, atol=1e-10)


def test_promise_of_locality():
    data = make_data(with_attr=False)
    for local, right in ((None, True), (False, True), (True, False)):
        conv = make_conv([GCNConv(4, 4) for _ in range(4)], local=local).eval()
        expected = slow_layer(conv, data, conv.router(data.x).gates)
        out = conv(*arguments(data))
        assert torch.allclose(out, expected) == right


@pytest.mark.parametrize('kinds', [['sage'] * 6, MIX])
def test_unused_experts_get_zero_gradients(kinds):
    conv = make_conv(kinds).train()
    data = make_data(1, 0)
    conv(*arguments(data)).sum().backward()
    used = conv.router.eval()(data.x)
    assert used.num_slots == 2
    for parameter in conv.experts.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()
    unused = sum(
        all(p.grad.abs().sum() == 0 for p in expert.parameters())
        for expert in conv.experts.experts
    )
    assert unused >= 4


def test_no_nodes_and_no_edges():
    conv = make_conv(MIX)
    assert conv(*arguments(make_data(0, 0))).shape == (0, 4)
    assert_like_each_expert(make_conv(MIX, 3).eval(), make_data(5, 0))


def test_sizes_repr_and_reset():
    bank = ModuleExperts(
        [GATv2Conv(4, 2, heads=3), SAGEConv(4, 6), GINConv(nn.Linear(4, 6))],
        num_experts_1hop=1,
    )
    assert (bank.in_channels, bank.out_channels) == (4, 6)
    assert str(bank) == (
        'ModuleExperts([GATv2Conv, SAGEConv, GINConv], num_experts_1hop=1)'
    )
    before = copy.deepcopy(bank.state_dict())
    bank.reset_parameters()
    name = 'experts.1.lin_l.weight'
    assert not torch.equal(bank.state_dict()[name], before[name])
    bank.load_state_dict(before)


class Nameless(MessagePassing):
    """Knows no sizes. PyG's own class must not be made: that changes it for
    all others, whose explanations then fail."""


@pytest.mark.parametrize(
    ('modules', 'message'),
    [
        ([], r"'modules' must hold at least one module, got \[\]"),
        ([SAGEConv(4, 4), SAGEConv(4, 5)], r'agree .*\(4, 4\), \(4, 5\)'),
        ([SAGEConv(4, 4), SAGEConv(3, 4)], 'agree'),
        ([GATConv(4, 4, heads=2), GATConv(4, 4)], r'\(4, 8\), \(4, 4\)'),
        ([SAGEConv(-1, 4)], "input size .'in_channels'., got -1"),
        ([SAGEConv((3, 4), 4)], r'got \(3, 4\)'),
        ([GINConv(nn.Tanh())], 'got None'),
        ([Nameless()], 'got None'),
    ],
)
def test_refused_modules(modules, message):
    with pytest.raises(ValueError, match=message):
        ModuleExperts(modules)


def test_refused_edge_weights():
    conv = make_conv([GraphConv(4, 4) for _ in range(3)])
    message = "'edge_attr' must have one feature, .*GraphConv, got 3"
    with pytest.raises(ValueError, match=message):
        conv(*arguments(make_data()))


def test_router_of_another_kind():
    bank = ModuleExperts([SAGEConv(4, 4) for _ in range(3)])
    router = Router(4, 3, normalize='sparsemax')
    conv = GMoEConv(bank, router=router, norm=None).double().eval()
    router.score_gate.weight.data.normal_()
    data = make_data(with_attr=False)
    assert_like_each_expert(conv, data)
    assert conv.router(data.x).ptr.diff().unique().numel() > 1
