import copy

import pytest
import torch
from torch import nn
from torch_geometric.nn import (
    GAT,
    GCN,
    GIN,
    PNA,
    GraphSAGE,
    SAGEConv,
    Sequential,
)

from gmoe.nn import GMoEConv, to_gmoe
from gmoe.nn.to_gmoe import GMoEAdapter
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
