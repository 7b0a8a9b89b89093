import copy

import pytest
import torch
from torch import nn
from torch_geometric import nn as pyg
from torch_geometric.nn import (
    GAT,
    GCN,
    GIN,
    PNA,
    GATConv,
    GraphSAGE,
    HeteroConv,
    RGCNConv,
    SAGEConv,
    Sequential,
    SuperGATConv,
    models,
    to_hetero,
)
from torch_geometric.transforms import ToSparseTensor
from torch_geometric.utils import coalesce, to_edge_index

from gmoe.nn import GNN, GMoEConv, OGBGCNConv, OGBGINConv, to_gmoe
from gmoe.nn.models.to_gmoe import GMoEAdapter
from gmoe.ops import two_hop_edges
from gmoe.routing import balance_loss, collect_routing
from tests.graphs import random_graph

PNA_ARGS = {
    'aggregators': ['mean', 'max'],
    'scalers': ['identity', 'amplification'],
    'deg': torch.tensor([1, 3, 2]),
}
MODELS = {
    'sage': lambda: GraphSAGE(4, 8, 3, out_channels=2),
    'gat': lambda: GAT(4, 8, 3, out_channels=2, heads=2),
    'gatv2_jk': lambda: GAT(4, 8, 2, 2, v2=True, jk='cat', norm='batch_norm'),
    'gin': lambda: GIN(4, 8, 3, out_channels=2),
    'gcn': lambda: GCN(4, 8, 3, out_channels=2),
    'pna': lambda: PNA(4, 8, 3, out_channels=2, **PNA_ARGS),
}


def mixtures(model):
    return [m for m in model.modules() if isinstance(m, GMoEConv)]


@pytest.mark.parametrize('name', MODELS)
@pytest.mark.parametrize('m', [0, 2, 4])
def test_basic_gnns(name, m):
    torch.manual_seed(0)
    original = MODELS[name]()
    before = copy.deepcopy(original.state_dict())
    text = str(original)
    model = to_gmoe(original, 4, top_k=2, num_experts_1hop=m)
    data = random_graph(dtype=torch.float32)
    with collect_routing(model) as routings:
        out = model(data.x, data.edge_index)
    assert out.shape == (9, 2)
    assert len(routings) == len(mixtures(model)) == original.num_layers
    for routing in routings:
        assert (routing.num_nodes, routing.num_slots) == (9, 18)
    (out.sum() + balance_loss(routings)).backward()
    for parameter_name, parameter in model.named_parameters():
        if 'mlp' not in parameter_name:
            assert parameter.grad is not None, parameter_name

    assert str(original) == text
    for key, value in original.state_dict().items():
        assert torch.equal(value, before[key])
    assert all(p.grad is None for p in original.parameters())

    other = to_gmoe(MODELS[name](), 4, top_k=2, num_experts_1hop=m)
    other.load_state_dict(model.state_dict())
    args = (data.x, data.edge_index)
    assert torch.equal(model.eval()(*args), other.eval()(*args))


def test_equal_experts_equal_the_original():
    original = GCN(4, 8, 2, out_channels=3, norm='layer_norm').double().eval()
    model = to_gmoe(original, 3, top_k=2)
    assert not model.training
    for adapter, conv in zip(model.convs, original.convs):
        mixture = adapter.conv
        assert not mixture.training
        assert mixture.router.score_gate.weight.dtype == torch.float64
        first, second = mixture.experts.experts[:2]
        assert not torch.equal(first.lin.weight, second.lin.weight)
        for expert in mixture.experts.experts:
            expert.load_state_dict(conv.state_dict())
    data = random_graph()
    edge_weight = torch.rand(14).double()
    for kwargs in ({}, {'edge_weight': edge_weight}):
        out = model(data.x, data.edge_index, **kwargs)
        expected = original(data.x, data.edge_index, **kwargs)
        assert torch.allclose(out, expected)


@pytest.mark.parametrize('name', MODELS)
def test_kept_weights(name):
    torch.manual_seed(0)
    original = MODELS[name]().double().eval()
    data = random_graph()
    expected = original(data.x, data.edge_index)
    for kwargs in ({'top_k': 2}, {'top_k': None, 'normalize': 'sparsemax'}):
        model = to_gmoe(
            original, 4, keep_weights=True, weight_noise=0, **kwargs
        )
        out = model(data.x, data.edge_index)
        torch.testing.assert_close(out, expected, rtol=1e-12, atol=1e-12)
    torch.manual_seed(0)
    noisy = to_gmoe(original, 4, 2, keep_weights=True, weight_noise=0.1)
    noisy_out = noisy(data.x, data.edge_index)
    assert not torch.allclose(noisy_out, expected)
    for adapter in noisy.convs:
        first, second = adapter.conv.experts.experts[:2]
        for a, b in zip(first.parameters(), second.parameters()):
            if a.numel() > 1 and a.std() > 0:
                assert not torch.equal(a, b)


def test_kept_weights_of_unknown_sizes():
    network = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))
    original = Sequential(
        'x, edge_index', [(pyg.EdgeConv(network), 'x, edge_index -> x')]
    )
    original = original.double().eval()
    data = random_graph()
    model = to_gmoe(original, 3, 2, keep_weights=True, weight_noise=0)
    args = (data.x, data.edge_index)
    torch.testing.assert_close(model(*args), original(*args))


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        ({'num_experts_1hop': 2}, "'num_experts_1hop' must be 3 where 'keep"),
        ({'norm': 'batch_norm'}, "'norm' must be None where 'keep_weights'"),
        ({'topk_first': False}, "'router_kwargs' must be of a router whose w"),
        ({'weight_noise': 2}, "'weight_noise' must be a number from 0 to 1"),
        ({'keep_weights': 'yes'}, "'keep_weights' must be one of"),
    ],
)
def test_weights_that_cannot_be_kept(kwargs, message):
    with pytest.raises(ValueError, match=message):
        to_gmoe(SAGEConv(4, 4), 3, 2, **{'keep_weights': True, **kwargs})


def test_no_weights_to_keep():
    with pytest.raises(ValueError, match='that was never called'):
        to_gmoe(SAGEConv(-1, 4), 3, 2, keep_weights=True)
    mixture = nn.ModuleList([to_gmoe(SAGEConv(4, 4), 3, 2), SAGEConv(4, 4)])
    with pytest.raises(ValueError, match="'model' must have no mixtures yet"):
        to_gmoe(mixture, 3, 2, keep_weights=True)


def test_edge_features():
    model = to_gmoe(GAT(4, 8, 2, edge_dim=3).double(), 3, top_k=1)
    data, edge_attr = random_graph(), torch.randn(14, 3).double()
    out = model(data.x, data.edge_index, edge_attr=edge_attr)
    out.sum().backward()
    for adapter in model.convs:
        for expert in adapter.conv.experts.experts:
            assert expert.lin_edge.weight.grad is not None
    model = to_gmoe(GAT(4, 8, 2, edge_dim=3).double(), 3, 1, 2)
    with pytest.raises(ValueError, match="'num_experts_1hop' must be all"):
        model(data.x, data.edge_index, edge_attr=edge_attr)
    with pytest.raises(TypeError, match="GATConv: .* 'edge_weight'"):
        model.convs[0](data.x, data.edge_index, edge_attr, edge_weight=1)


def test_hop2_edges_are_made():
    adapter = to_gmoe(SAGEConv(4, 4).double(), 3, top_k=2, num_experts_1hop=1)
    assert isinstance(adapter, GMoEAdapter)
    data = random_graph()
    adapter.eval()
    far, _ = two_hop_edges(data.edge_index, num_nodes=9)
    expected = adapter.conv(data.x, data.edge_index, None, far)
    assert torch.equal(adapter(data.x, data.edge_index), expected)
    before = copy.deepcopy(adapter.state_dict())
    adapter.reset_parameters()
    key = 'conv.experts.experts.0.lin_l.weight'
    assert not torch.equal(adapter.state_dict()[key], before[key])


class Shared(nn.Module):
    """One convolution at two places, and two mixtures' worth of others."""

    def __init__(self):
        super().__init__()
        self.first = SAGEConv(4, 4)
        self.again = self.first
        self.nothing = None
        self.inner = nn.ModuleDict({'a': nn.ModuleList([SAGEConv(4, 4)])})

    def forward(self, x, edge_index):
        x = self.again(self.first(x, edge_index), edge_index)
        return self.inner['a'][0](x, edge_index)


def test_shared_and_nested_convolutions():
    model = to_gmoe(Shared(), 3, top_k=2, norm='layer_norm', noise=False)
    assert model.first is model.again
    assert len(mixtures(model)) == 2
    for mixture in mixtures(model):
        assert mixture.norm.kind == 'layer_norm'
        assert not mixture.router.noise
    data = random_graph(dtype=torch.float32)
    with collect_routing(model) as routings:
        assert model(data.x, data.edge_index).shape == (9, 4)
    assert len(routings) == 3


def test_sequential():
    model = Sequential(
        'x, edge_index',
        [(SAGEConv(4, 8), 'x, edge_index -> x'), nn.ReLU(), nn.Linear(8, 2)],
    )
    data = random_graph(dtype=torch.float32)
    model = to_gmoe(model, 3, top_k=2)
    assert len(mixtures(model)) == 1
    assert model(data.x, data.edge_index).shape == (9, 2)


def test_refused_models():
    message = "'model' must contain at least one PyG MessagePassing"
    with pytest.raises(ValueError, match=message):
        to_gmoe(nn.Linear(3, 3), 4, top_k=2)
    with pytest.raises(ValueError, match=message):
        to_gmoe(to_gmoe(SAGEConv(4, 4), 4, 2), 4, 2)
    message = "'model' must hold convolutions of nodes of one size, got .3, 4"
    with pytest.raises(ValueError, match=message):
        to_gmoe(SAGEConv((3, 4), 4), 4, top_k=2)
    with pytest.raises(ValueError, match="'top_k' must be"):
        to_gmoe(SAGEConv(4, 4), 4, top_k=5)
    message = "'router_kwargs' must be of a router that sees single nodes"
    with pytest.raises(ValueError, match=message):
        to_gmoe(SAGEConv(4, 4), 4, top_k=2, level='graph')


def layers(spec, *modules):
    return lambda: Sequential(spec, [(m(), a) for m, a in modules])


# Networks of PyG and, beside nodes and edges, what they are called with.
NETWORKS = {
    'gatv2_lstm': (lambda: GAT(4, 8, 2, 3, v2=True, jk='lstm'), []),
    'edge_cnn': (lambda: models.EdgeCNN(4, 8, 2, 3), []),
    'lazy_sage': (lambda: GraphSAGE(-1, 8, 2, 3), []),
    'lazy_gat': (lambda: GAT(-1, 8, 2, 3), []),
    'deep_gcn': (
        lambda: models.DeepGCNLayer(
            pyg.GENConv(4, 4, edge_dim=3), nn.LayerNorm(4), nn.ReLU()
        ),
        ['attr'],
    ),
    'reversible': (
        lambda: models.GroupAddRev(SAGEConv(2, 2), num_groups=2),
        [],
    ),
    'autoencoder': (lambda: models.GAE(pyg.GCNConv(4, 8)), []),
    'rect': (lambda: models.RECT_L(4, 8), []),
    'unet': (lambda: models.GraphUNet(4, 8, 3, 2), []),
    'fingerprint': (lambda: models.NeuralFingerprint(4, 8, 3, 2), ['batch']),
    'sgformer': (lambda: models.SGFormer(4, 8, 3), ['batch']),
    'polynormer': (lambda: models.Polynormer(4, 8, 3), ['batch']),
    'transformer': (
        layers(
            'x, e, a',
            (lambda: pyg.TransformerConv(4, 8, edge_dim=3), 'x, e, a -> x'),
        ),
        ['attr'],
    ),
    'gcn2': (
        layers('x, e', (lambda: pyg.GCN2Conv(4, 0.1), 'x, x, e -> x')),
        [],
    ),
    'rgcn': (
        layers(
            'x, e, t',
            (lambda: RGCNConv(4, 8, 3), 'x, e, t -> x'),
            (lambda: RGCNConv(8, 8, 3), 'x, e, t -> x'),
        ),
        ['type'],
    ),
    'linear_appnp': (
        layers(
            'x, e',
            (lambda: SAGEConv(4, 3), 'x, e -> x'),
            (lambda: pyg.APPNP(2, 0.1), 'x, e -> x'),
        ),
        [],
    ),
}


def adapters(model):
    return [m for m in model.modules() if isinstance(m, GMoEAdapter)]


def convolutions(model):
    return [
        m
        for m in model.modules()
        if isinstance(m, pyg.MessagePassing) and len(list(m.parameters())) > 0
    ]


@pytest.mark.parametrize('name', NETWORKS)
def test_networks(name):
    torch.manual_seed(0)
    make, others = NETWORKS[name]
    data = random_graph(dtype=torch.float32)
    others = [
        {
            'attr': torch.randn(14, 3),
            'type': torch.randint(3, (14,)),
            'batch': torch.zeros(9, dtype=torch.long),
        }[other]
        for other in others
    ]
    original = make().eval()
    model = to_gmoe(original, 3, top_k=2).eval()
    # The reversible one frees the memory of what it is given.
    out = model(data.x.clone(), data.edge_index, *others)
    expected = original(data.x.clone(), data.edge_index, *others)
    assert out.shape == expected.shape
    assert len(mixtures(model)) > 0
    # With equal experts it is the original.
    for adapter, conv in zip(adapters(model), convolutions(original)):
        for expert in adapter.conv.experts.experts:
            expert.load_state_dict(conv.state_dict())
    torch.manual_seed(1)
    out = model(data.x.clone(), data.edge_index, *others)
    torch.manual_seed(1)
    expected = original(data.x.clone(), data.edge_index, *others)
    assert torch.allclose(out, expected, atol=1e-5)


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: models.LightGCN(9, 4, 2), 'with parameters, got LightGCN'),
        (lambda: models.SignedGCN(4, 8, 2), 'got SignedConv'),
        (lambda: models.LINKX(9, 4, 8, 3, 2), 'got SparseLinear'),
        (lambda: models.LabelPropagation(2, 0.5), 'got LabelPropagation'),
    ],
)
def test_refused_networks(make, message):
    with pytest.raises(ValueError, match=message):
        to_gmoe(make(), 3, top_k=2)


@pytest.mark.parametrize('sizes', [-1, (-1, -1)])
def test_lazy_sizes(sizes):
    torch.manual_seed(0)
    original = GATConv(sizes, 3, heads=2)
    with pytest.raises(ValueError, match="'top_k' must be"):
        to_gmoe(original, 4, top_k=5)
    model = to_gmoe(original, 4, top_k=2, norm='batch_norm').double()
    model.reset_parameters()
    assert model.conv is None
    data = random_graph()
    with pytest.raises(ValueError, match="'x' must be a tensor"):
        model((data.x, data.x), data.edge_index)
    out = model(data.x, data.edge_index)
    assert out.shape == (9, 6)
    assert out.dtype == torch.float64
    assert model.template is None
    assert model.conv.norm.training
    bank = model.conv.experts
    assert (bank.in_channels, bank.out_channels) == (4, 6)
    optimizer = torch.optim.Adam(model.parameters())
    out.sum().backward()
    before = copy.deepcopy(bank.state_dict())
    optimizer.step()
    changed = [
        k for k in before if not torch.equal(before[k], bank.state_dict()[k])
    ]
    assert len(changed) > 4
    again = copy.deepcopy(model)
    again.load_state_dict(model.state_dict())
    model.eval(), again.eval()
    args = (data.x, data.edge_index)
    assert torch.equal(model(*args), again(*args))


def test_edge_types_with_routing():
    torch.manual_seed(0)
    model = to_gmoe(RGCNConv(4, 6, 3), 4, top_k=2).double().eval()
    data, edge_type = random_graph(), torch.randint(3, (14,))
    out = model(data.x, data.edge_index, edge_type)
    assert torch.equal(out, model.conv(data.x, data.edge_index, edge_type))
    named = model.conv(data.x, data.edge_index, edge_type=edge_type)
    assert torch.equal(out, named)
    message = "'edge_attr' must be one integer for each edge, its type for RGC"
    with pytest.raises(ValueError, match=message):
        model.conv(data.x, data.edge_index, torch.randn(14))
    with pytest.raises(ValueError, match="'edge_type' must be what RGCNConv"):
        model(data.x, data.edge_index)
    message = "'edge_type' must hold values from 0 to 2, got 3"
    with pytest.raises(ValueError, match=message):
        model(data.x, data.edge_index, edge_type + 1)
    with pytest.raises(ValueError, match=message.replace('type', 'attr')):
        model.conv(data.x, data.edge_index, edge_type + 1)
    message = r"'edge_type' must be left out: none of \['SAGEConv'\] takes it"
    plain = to_gmoe(SAGEConv(4, 6), 4, top_k=2).double()
    with pytest.raises(ValueError, match=message):
        plain.conv(data.x, data.edge_index, edge_type=edge_type)
    with pytest.raises(TypeError, match='SAGEConv: too many positional'):
        plain(data.x, data.edge_index, None, edge_type)
    far = to_gmoe(RGCNConv(4, 6, 3), 4, top_k=2, num_experts_1hop=2).double()
    with pytest.raises(ValueError, match="'num_experts_1hop' must be all"):
        far(data.x, data.edge_index, edge_type)
    message = "'edge_type' must be left out where experts look at hop-2 edges"
    with pytest.raises(ValueError, match=message):
        far.conv(
            data.x,
            data.edge_index,
            edge_index_2hop=data.edge_index[:, :0],
            edge_type=edge_type,
        )


def test_sparse_adjacencies_have_a_way_out():
    data = random_graph(dtype=torch.float32)
    del data.edge_attr
    data.edge_index = coalesce(data.edge_index)
    sparse = ToSparseTensor()(data.clone()).adj_t
    message = (
        "'edge_index' must be a tensor .* got a sparse .* give its column"
    )
    gnn = GNN(hidden_channels=4, num_layers=1, node_dims=4, edge_dims=None)
    sage = to_gmoe(GraphSAGE(4, 4, 2), 3, 2)
    for model in (
        OGBGCNConv(4, 4),
        OGBGINConv(4, 4),
        gnn,
        sage,
        sage.convs[0].conv,
    ):
        with pytest.raises(ValueError, match=message):
            model(data.x, sparse)
    # The way out.
    edge_index = to_edge_index(sparse)[0].flip(0)
    sage.eval()
    out, expected = sage(data.x, edge_index), sage(data.x, data.edge_index)
    assert torch.allclose(out, expected, atol=1e-6)


def test_graphs_of_several_kinds():
    data = random_graph(dtype=torch.float32)
    message = r"'x' must be a tensor .* got tuple; .*to_homogeneous\(\)"
    kinds, edge = ['a', 'b'], ('a', 'to', 'b')
    convs = HeteroConv({edge: SAGEConv((-1, -1), 3)})
    back = ('b', 'back', 'a')
    whole = to_hetero(GraphSAGE((-1, -1), 3, 2), (kinds, [edge, back]))
    nodes = dict.fromkeys(kinds, data.x)
    edges = dict.fromkeys([edge, back], data.edge_index)
    for model in (convs, whole):
        with pytest.raises(ValueError, match=message):
            to_gmoe(model, 3, top_k=2)(nodes, edges)
    mixture = to_gmoe(SAGEConv(4, 4), 3, top_k=2)
    with pytest.raises(ValueError, match=message):
        mixture.conv((data.x, data.x), data.edge_index)
    # One kind is fine.
    convs = HeteroConv({('a', 'to', 'a'): SAGEConv(4, 3)})
    out = to_gmoe(convs, 3, 2)(
        {'a': data.x}, {('a', 'to', 'a'): data.edge_index}
    )
    assert out['a'].shape == (9, 3)


def test_what_a_mixture_has_not():
    data = random_graph(dtype=torch.float32)
    mixture = to_gmoe(GATConv(4, 4), 3, top_k=2)
    for argument in ({'size': (9, 9)}, {'return_attention_weights': True}):
        with pytest.raises(
            ValueError, match='must be None for a mixture of G'
        ):
            mixture(data.x, data.edge_index, **argument)
    mixture = to_gmoe(SuperGATConv(4, 4), 3, top_k=2)
    message = "'get_attention_loss' must be asked of the experts"
    with pytest.raises(AttributeError, match=message):
        mixture.get_attention_loss()


def test_inputs_that_are_missing_or_too_short_are_named():
    data = random_graph()
    data.x = data.x.float()
    model = to_gmoe(
        Sequential('x, e, t', [(RGCNConv(4, 4, 2), 'x, e, t->x')]), 2, 1
    )
    types = torch.zeros(14, dtype=torch.long)
    model(data.x, data.edge_index, types)
    with pytest.raises(ValueError, match="'edge_type' must .*14 edges, got"):
        model(data.x, data.edge_index, types[:1])
    with pytest.raises(ValueError, match="'x' must be .*got NoneType"):
        model(None, data.edge_index, types)
    with pytest.raises(ValueError, match="'model' must be a torch.nn.Module"):
        to_gmoe(GCN, 2, 1)
