"""Every convolution of PyG as an expert: it works as by itself, or is refused
by name with a way out."""

import copy
import re

import pytest
import torch
from torch import nn
from torch_geometric import nn as pyg
from torch_geometric.nn import conv as convs

from gmoe.nn import GMoEConv, ModuleExperts, to_gmoe
from gmoe.nn.models.to_gmoe import GMoEAdapter

N, E, F = 9, 16, 3


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def rows(*shape):
    return torch.rand(*shape, generator=generator(1)).double() + 0.1


def kinds(high, size):
    return torch.randint(high, (size,), generator=generator(2))


def mlp(*sizes):
    maps = [nn.Linear(a, b) for a, b in zip(sizes, sizes[1:])]
    return nn.Sequential(*maps, nn.Tanh())


def attr():
    return {'edge_attr': rows(E, F)}


def weight():
    return {'edge_weight': rows(E)}


def types():
    return {'edge_type': kinds(3, E)}


def start():
    return {'x_0': rows(N, 4)}


def position():
    return {'pos': rows(N, 3)}


# Each with the arguments that it is called with besides nodes and edges.
WORK = {
    'GCNConv': (lambda: pyg.GCNConv(4, 6), weight),
    'ChebConv': (lambda: pyg.ChebConv(4, 6, 3), weight),
    'SAGEConv': (lambda: pyg.SAGEConv(4, 6), dict),
    'GraphConv': (lambda: pyg.GraphConv(4, 6), weight),
    'GatedGraphConv': (lambda: pyg.GatedGraphConv(4, 2), weight),
    'ResGatedGraphConv': (
        lambda: pyg.ResGatedGraphConv(4, 6, edge_dim=F),
        attr,
    ),
    'GATConv': (lambda: pyg.GATConv(4, 3, heads=2, edge_dim=F), attr),
    'GATv2Conv': (lambda: pyg.GATv2Conv(4, 3, heads=2, edge_dim=F), attr),
    'TransformerConv': (
        lambda: pyg.TransformerConv(4, 3, heads=2, edge_dim=F),
        attr,
    ),
    'AGNNConv': (pyg.AGNNConv, dict),
    'TAGConv': (lambda: pyg.TAGConv(4, 6), weight),
    'GINConv': (lambda: pyg.GINConv(mlp(4, 5, 6)), dict),
    'GINEConv': (lambda: pyg.GINEConv(mlp(4, 6), edge_dim=F), attr),
    'ARMAConv': (lambda: pyg.ARMAConv(4, 6, 2, 2), weight),
    'SGConv': (lambda: pyg.SGConv(4, 6, 2), weight),
    'SSGConv': (lambda: pyg.SSGConv(4, 6, 0.2, 2), weight),
    'MFConv': (lambda: pyg.MFConv(4, 6, 4), dict),
    'RGCNConv': (lambda: pyg.RGCNConv(4, 6, 3), types),
    'FastRGCNConv': (lambda: pyg.FastRGCNConv(4, 6, 3), types),
    'RGATConv': (
        lambda: pyg.RGATConv(
            4,
            6,
            3,
            attention_mode='multiplicative-self-attention',
            heads=2,
            dim=2,
            edge_dim=F,
        ),
        lambda: types() | attr(),
    ),
    'PointNetConv': (lambda: pyg.PointNetConv(mlp(7, 6)), position),
    'GMMConv': (lambda: pyg.GMMConv(4, 6, F, 2), attr),
    'SplineConv': (lambda: pyg.SplineConv(4, 6, F, 3), attr),
    'NNConv': (lambda: pyg.NNConv(4, 6, mlp(F, 24)), attr),
    'CGConv': (lambda: pyg.CGConv(4, F), attr),
    'EdgeConv': (lambda: pyg.EdgeConv(mlp(8, 6)), dict),
    'PPFConv': (
        lambda: pyg.PPFConv(mlp(8, 6)),
        lambda: position() | {'normal': rows(N, 3)},
    ),
    'FeaStConv': (lambda: pyg.FeaStConv(4, 6, 2), dict),
    'PointTransformerConv': (
        lambda: pyg.PointTransformerConv(4, 6),
        position,
    ),
    'LEConv': (lambda: pyg.LEConv(4, 6), weight),
    'PNAConv': (
        lambda: pyg.PNAConv(
            4, 6, ['mean', 'max'], ['amplification'], torch.tensor([1, 3, 2])
        ),
        dict,
    ),
    'ClusterGCNConv': (lambda: pyg.ClusterGCNConv(4, 6), dict),
    'GENConv': (
        lambda: pyg.GENConv(4, 6, norm='layer', edge_dim=F),
        attr,
    ),
    'GCN2Conv': (lambda: pyg.GCN2Conv(4, 0.1), lambda: start() | weight()),
    'FiLMConv': (lambda: pyg.FiLMConv(4, 6, 3), types),
    'SuperGATConv': (lambda: pyg.SuperGATConv(4, 3, heads=2), dict),
    'FAConv': (lambda: pyg.FAConv(4), start),
    'EGConv': (lambda: pyg.EGConv(4, 8), dict),
    'PDNConv': (lambda: pyg.PDNConv(4, 6, F, 5), attr),
    'GeneralConv': (lambda: pyg.GeneralConv(4, 6, F), attr),
    'HEATConv': (
        lambda: pyg.HEATConv(4, 6, 2, 3, 5, F, 5, heads=2),
        lambda: types() | attr() | {'node_type': kinds(2, N)},
    ),
    'PointGNNConv': (
        lambda: pyg.PointGNNConv(mlp(4, 3), mlp(7, 5), mlp(5, 4)),
        position,
    ),
    'GPSConv': (
        lambda: pyg.GPSConv(4, pyg.GINEConv(mlp(4, 4), edge_dim=F), norm=None),
        attr,
    ),
    'AntiSymmetricConv': (lambda: pyg.AntiSymmetricConv(4), dict),
    'DirGNNConv': (lambda: pyg.DirGNNConv(pyg.SAGEConv(4, 6)), dict),
    'MixHopConv': (lambda: pyg.MixHopConv(4, 3), weight),
    'MeshCNNConv': (lambda: pyg.MeshCNNConv(4, 6), dict),
}
# What does not know both of its sizes: the first call of to_gmoe tells.
UNSIZED = ['AGNNConv', 'PointNetConv', 'PPFConv', 'PointGNNConv']
UNSIZED += ['AntiSymmetricConv', 'DirGNNConv']
# What has no parameters is no expert of to_gmoe, but one of a bank.
FIXED = {
    'SimpleConv': (pyg.SimpleConv, weight),
    'APPNP': (lambda: pyg.APPNP(2, 0.1), weight),
    'LGConv': (pyg.LGConv, weight),
    'WLConvContinuous': (pyg.WLConvContinuous, weight),
}
NOT_OF_EDGES = 'which takes .*convert the others one by one'
NO_MODULE = "'model' must contain at least one PyG MessagePassing"
REFUSED = {
    'GravNetConv': (lambda: pyg.GravNetConv(4, 6, 2, 2, 2), NOT_OF_EDGES),
    'FusedGATConv': (
        lambda: pyg.FusedGATConv(4, 6, add_self_loops=False),
        NOT_OF_EDGES,
    ),
    'SignedConv': (lambda: pyg.SignedConv(4, 6, True), NOT_OF_EDGES),
    'DynamicEdgeConv': (
        lambda: pyg.DynamicEdgeConv(mlp(8, 6), 2),
        NOT_OF_EDGES,
    ),
    'HypergraphConv': (lambda: pyg.HypergraphConv(4, 6), NOT_OF_EDGES),
    'HGTConv': (
        lambda: pyg.HGTConv(4, 6, (['a'], [('a', 'to', 'a')])),
        NOT_OF_EDGES,
    ),
    'HANConv': (
        lambda: pyg.HANConv(4, 6, (['a'], [('a', 'to', 'a')])),
        NOT_OF_EDGES,
    ),
    'DNAConv': (lambda: pyg.DNAConv(4), "'x' .* a mixture of DNAConv"),
    'PANConv': (lambda: pyg.PANConv(4, 6, 2), 'PANConv.*leave it as it is'),
    'XConv': (lambda: pyg.XConv(4, 6, 3, 2, 4), NO_MODULE),
    'WLConv': (pyg.WLConv, NO_MODULE),
    'HeteroConv': (
        lambda: pyg.HeteroConv({('a', 'to', 'b'): pyg.SAGEConv((4, 4), 6)}),
        'to_homogeneous',
    ),
}
# Of libraries beside PyG.
ELSEWHERE = ['CuGraphSAGEConv', 'CuGraphGATConv', 'CuGraphRGCNConv']


def make(kind):
    torch.manual_seed(0)
    try:
        return kind()
    except ImportError as error:  # Of a library beside PyG.
        pytest.skip(str(error))


def graph():
    x = torch.randn(N, 4, generator=generator()).double().requires_grad_()
    return x, torch.randint(N, (2, E), generator=generator())


def experts_of(mixture, x):
    """The experts and the weights that nodes give them."""
    conv = mixture.conv if isinstance(mixture, GMoEAdapter) else mixture
    for parameter in conv.parameters():
        parameter.data.normal_(0, 0.5, generator=generator())
    return conv.experts.experts, conv.router(x).gates


def assert_like_its_experts(mixture, x, edge_index, others):
    experts, gates = experts_of(mixture, x)
    assert (gates == 0).any() == (len(experts) > 1)
    expected = 0
    for o, expert in enumerate(experts):
        h = expert(x, edge_index=edge_index, **others)
        expected = expected + gates[:, o : o + 1] * h
    out = mixture(x, edge_index=edge_index, **others)
    assert torch.allclose(out, expected, rtol=1e-9, atol=1e-11)
    inputs = [x, *(p for e in experts for p in e.parameters())]
    grads = [
        torch.autograd.grad(y.pow(2).sum(), inputs, allow_unused=True)
        for y in (out, expected)
    ]
    for grad, other in zip(*grads):
        if grad is None or other is None:
            assert grad is None or not grad.any()
            assert other is None or not other.any()
        else:
            assert torch.allclose(grad, other, rtol=1e-8, atol=1e-10)


def test_all_are_known():
    known = {*WORK, *FIXED, *REFUSED, *ELSEWHERE, 'MessagePassing'}
    assert set(convs.classes) <= known


@pytest.mark.parametrize('num_experts', [1, 4])
@pytest.mark.parametrize('name', WORK)
def test_to_gmoe(name, num_experts):
    kind, others = WORK[name]
    model, (x, edge_index) = make(kind).double().eval(), graph()
    mixture = to_gmoe(model, num_experts, min(2, num_experts)).double()
    others = others()
    expected = model(x, edge_index=edge_index, **others)
    assert mixture(x, edge_index=edge_index, **others).shape == expected.shape
    if isinstance(mixture, GMoEAdapter):
        assert_like_its_experts(mixture, x, edge_index, others)
    else:  # A mixture inside of a layer of layers.
        assert any(isinstance(m, GMoEAdapter) for m in mixture.modules())


@pytest.mark.parametrize('num_experts', [1, 4])
@pytest.mark.parametrize('name', {**WORK, **FIXED})
def test_bank(name, num_experts):
    kind, others = {**WORK, **FIXED}[name]
    (x, edge_index), others = graph(), others()
    model = make(kind).double().eval()
    size = model(x, edge_index=edge_index, **others).size(1)
    modules = [copy.deepcopy(model) for _ in range(num_experts)]
    bank = ModuleExperts(modules, in_channels=4, out_channels=size)
    conv = GMoEConv(bank, top_k=min(2, num_experts), norm=None)
    assert_like_its_experts(conv.double().eval(), x, edge_index, others)
    if name in (*UNSIZED, *FIXED):
        message = rf"'modules' must know their (in|out)put size .*{name}"
        with pytest.raises(ValueError, match=message):
            ModuleExperts(modules)
    else:
        sizes = ModuleExperts(modules)
        assert (sizes.in_channels, sizes.out_channels) == (4, size)


@pytest.mark.parametrize('name', REFUSED)
def test_refused(name):
    kind, message = REFUSED[name]
    model, (x, edge_index) = make(kind).double(), graph()
    inputs = [x, edge_index]
    if name == 'HeteroConv':
        inputs = [{'a': x, 'b': x}, {('a', 'to', 'b'): edge_index}]
    if name == 'DNAConv':
        inputs[0] = x.unsqueeze(1)
    try:
        to_gmoe(model, 3, top_k=2).double()(*inputs)
    except ImportError as error:
        pytest.skip(str(error))
    except ValueError as error:
        assert re.search(message, str(error))  # noqa: PT017
    else:
        pytest.fail('not refused')


class TwoOutputs(pyg.SAGEConv):
    def forward(self, x, edge_index):
        return super().forward(x, edge_index), edge_index


def test_two_outputs_are_refused():
    model, (x, edge_index) = TwoOutputs(4, 6).double(), graph()
    message = "'modules' must give one tensor .* from TwoOutputs: leave it"
    with pytest.raises(ValueError, match=message):
        to_gmoe(model, 3, top_k=2)(x, edge_index)


@pytest.mark.parametrize('name', FIXED)
def test_without_parameters(name):
    kind, others = FIXED[name]
    x, edge_index = graph()
    with pytest.raises(ValueError, match=f'{NO_MODULE} .*with par'):
        to_gmoe(kind(), 3, top_k=2)

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = pyg.SAGEConv(4, 4), kind()

        def forward(self, x, edge_index):
            return self.second(self.first(x, edge_index), edge_index)

    model = to_gmoe(Network().double(), 3, top_k=2)
    assert type(model.second).__name__ == name
    assert model(x, edge_index).shape == (N, 4)


@pytest.mark.parametrize('name', WORK)
def test_what_is_missing_has_a_name(name):
    kind, others = WORK[name]
    (x, edge_index), given = graph(), others()
    adapter = to_gmoe(make(kind).double().eval(), 3, 2).double()
    adapter(x, edge_index=edge_index, **given)
    for argument in given:
        left = {k: v for k, v in given.items() if k != argument}
        try:
            plain = make(kind).double().eval()
            plain(x, edge_index=edge_index, **left)
        except Exception:
            with pytest.raises((ValueError, TypeError), match=argument):
                adapter(x, edge_index=edge_index, **left)
        else:
            adapter(x, edge_index=edge_index, **left)
