"""OGB's convolutions against loops over edges."""

import math

import pytest
import torch
from hypothesis import given, settings
from torch_geometric.explain.algorithm.utils import set_masks

from gmoe.nn import Neighborhood, OGBGCNConv, OGBGINConv, RelationalConv
from gmoe.ops import AVAILABLE, eager_ops
from tests.graphs import EDGE_DIMS, graphs, random_graph
from tests.ogb_reference import ogb_conv

CONVS = [OGBGCNConv, OGBGINConv]


def make_conv(kind, edge_dims=EDGE_DIMS, out_channels=4):
    torch.manual_seed(0)
    conv = kind(4, out_channels, edge_dims).double()
    for parameter in conv.parameters():
        parameter.data.normal_()
    return conv


@pytest.mark.parametrize('kind', CONVS)
@settings(max_examples=40, deadline=None)
@given(data=graphs())
def test_loop(kind, data):
    conv = make_conv(kind).train(data.num_nodes > 1)
    edges = (data.edge_index, data.edge_attr)
    expected = ogb_conv(conv, data.x, *edges, conv.training)
    assert torch.allclose(conv(data.x, *edges), expected, atol=1e-10)


def test_gcn_by_hand():
    # 0 -> 1 twice: node 0 has two outgoing edges, node 1 none.
    conv = make_conv(OGBGCNConv, None)
    x = torch.randn(2, 4).double()
    h = conv.linear(x)
    out = conv(x, torch.tensor([[0, 0], [1, 1]]))
    assert torch.allclose(out[0], (h[0] + conv.root).relu() / 3)
    expected = 2 / math.sqrt(3) * h[0].relu() + (h[1] + conv.root).relu()
    assert torch.allclose(out[1], expected)


def test_gin_by_hand():
    conv = make_conv(OGBGINConv, None).eval()
    x = torch.randn(2, 4).double()
    out = conv(x, torch.tensor([[0, 0], [1, 1]]))
    h = (1 + conv.eps) * x + torch.stack([0 * x[0], 2 * x[0].relu()])
    assert torch.allclose(out, conv.mlp(h))


@pytest.mark.parametrize('kind', CONVS)
def test_contract_of_a_pyg_conv(kind):
    conv = make_conv(kind, edge_dims=3, out_channels=6)
    data = random_graph()
    edge_attr = torch.randn(14, 3).double()
    out = conv(data.x, data.edge_index, edge_attr)
    assert out.shape == (9, 6)
    out.sum().backward()
    assert all(p.grad is not None for p in conv.parameters())
    before = {k: v.clone() for k, v in conv.state_dict().items()}
    conv.reset_parameters()
    for name, value in conv.named_parameters():
        assert not torch.equal(value, before[name])
    assert str(conv) == f'{kind.__name__}(4, 6)'


def test_initial_values():
    torch.manual_seed(0)
    gcn = OGBGCNConv(100, 100)
    assert 0.95 * 0.1 < gcn.linear.weight.abs().max() <= 0.1
    assert 0.7 < gcn.root.std() < 1.3
    gin = OGBGINConv(100, 100)
    assert gin.eps == 0
    assert 0.95 * 0.1 < gin.mlp[0].weight.abs().max() <= 0.1
    bound = 1 / math.sqrt(200)
    assert 0.95 * bound < gin.mlp[3].weight.abs().max() <= bound


@pytest.mark.parametrize('kind', CONVS)
def test_missing_edge_features(kind):
    conv, data = make_conv(kind), random_graph()
    with pytest.raises(ValueError, match=r"'edge_attr' .* shape \[\*, 3\]"):
        conv(data.x, data.edge_index, data.edge_attr[:, :2])
    with pytest.raises(ValueError, match="'edge_attr' must be given"):
        conv(data.x, data.edge_index)


def neighborhood(data):
    return Neighborhood.from_edge_index(
        data.edge_index, data.edge_attr, data.num_nodes
    )


def value_and_gradients(conv, x, *edges):
    out = conv(x, *edges)
    weight = torch.linspace(-1, 1, out.numel(), dtype=out.dtype)
    loss = (out * weight.view(out.shape)).sum()
    inputs = [x, *conv.parameters()]
    grads = torch.autograd.grad(loss, inputs, materialize_grads=True)
    return [out, *grads]


@pytest.mark.parametrize('kind', CONVS)
@pytest.mark.parametrize('features', ['hop 1', 'hop 2', 'linear', 'none'])
@settings(max_examples=25, deadline=None)
@given(data=graphs())
def test_fused(kind, features, data):
    dims = {
        'hop 1': EDGE_DIMS,
        'hop 2': (*EDGE_DIMS, *EDGE_DIMS),
        'linear': 3,
        'none': None,
    }[features]
    if features == 'hop 2':
        attr = data.edge_attr
        data.edge_attr = torch.cat([attr, attr.flip(0)], dim=1)
    elif features == 'linear':
        data.edge_attr = data.edge_attr.double()
    conv = make_conv(kind, dims).train(data.num_nodes > 1)
    x = data.x.clone().requires_grad_()
    edges = (data.edge_index, data.edge_attr)
    expected = value_and_gradients(conv, x, *edges)
    fused = value_and_gradients(conv, x, neighborhood(data))
    for a, b in zip(fused, expected, strict=True):
        assert torch.allclose(a, b, atol=1e-9)


@pytest.mark.parametrize('kind', CONVS)
def test_when_it_is_fused(kind, monkeypatch):
    conv, data = make_conv(kind), random_graph()
    calls = []

    def count_calls():
        propagate = conv.propagate
        monkeypatch.setattr(
            conv,
            'propagate',
            lambda *a, **k: calls.append(1) or propagate(*a, **k),
        )

    count_calls()
    hop = neighborhood(data)
    expected = conv(data.x, hop)
    assert len(calls) == (0 if AVAILABLE else 1)
    calls.clear()
    with eager_ops():
        assert torch.allclose(conv(data.x, hop), expected)
    assert len(calls) == 1
    # Explainers look at messages.
    set_masks(conv, torch.ones(14), data.edge_index, apply_sigmoid=False)
    count_calls()
    assert torch.allclose(conv(data.x, hop), expected)
    assert len(calls) == 2


@pytest.mark.parametrize('kind', CONVS)
def test_fused_misses_edge_features(kind):
    conv, data = make_conv(kind), random_graph()
    data.edge_attr = None
    with pytest.raises(ValueError, match="'edge_attr' must be given"):
        conv(data.x, neighborhood(data))


@pytest.mark.parametrize('kind', [*CONVS, RelationalConv])
def test_one_row_of_features_for_all_edges_is_refused(kind):
    data = random_graph()
    conv = make_conv(kind)
    for rows in (1, 13):
        with pytest.raises(ValueError, match="'edge_attr' must .*_edges=14"):
            conv(data.x, data.edge_index, data.edge_attr[:rows])
