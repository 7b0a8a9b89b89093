"""The bank's parameters; its outputs are tested in test_gmoe_conv.py."""

import math

import pytest
import torch

from gmoe.nn import GMoEConv, Neighborhood, RelationalConv, RelationalExperts
from gmoe.routing import UniformRouter
from tests.graphs import EDGE_DIMS, random_graph


def test_parameter_shapes():
    bank = RelationalExperts(4, 6, 3, 1, EDGE_DIMS, composition='gate')
    shapes = {k: tuple(v.shape) for k, v in bank.named_parameters()}
    assert shapes == {
        'weight': (3, 4, 6),
        'root': (3, 4, 6),
        'bias': (3, 6),
        'edge_encoders.encoders.1hop.weight': (1, 1, 13, 8),
        'edge_encoders.encoders.2hop.weight': (1, 2, 13, 8),
    }
    bank = RelationalExperts(4, 6, 3, 0, 5)
    shapes = {k: tuple(v.shape) for k, v in bank.named_parameters()}
    assert shapes['edge_encoders.encoders.2hop.linear.weight'] == (4, 10)
    assert 'edge_encoders.encoders.1hop.linear.weight' not in shapes
    assert str(bank) == (
        'RelationalExperts(4, 6, num_experts=3, num_experts_1hop=0, '
        "composition='mult')"
    )


def test_reset_parameters():
    bank = RelationalExperts(100, 50, 4, 2, EDGE_DIMS)
    for value in bank.parameters():
        value.data.fill_(100)
    bank.reset_parameters()
    for expert in range(4):
        for value in (bank.weight, bank.root, bank.bias):
            assert 0.8 / 10 < value[expert].abs().max() <= 1 / math.sqrt(100)
    assert all((p.abs() <= 1).all() for p in bank.edge_encoders.parameters())


def test_composition_is_made_once_per_hop(monkeypatch):
    from gmoe.nn.experts import relational

    calls = []
    compose = relational.compose

    def count(*args):
        calls.append(args[1].shape)
        return compose(*args)

    monkeypatch.setattr(relational, 'compose', count)
    data = random_graph()
    hop = Neighborhood.from_edge_index(data.edge_index, data.edge_attr, 9)
    bank = RelationalExperts(4, 6, 8, edge_dims=EDGE_DIMS).double()
    out = bank(data.x, UniformRouter(8)(data.x).by_expert, hop, None)
    assert out.shape == (72, 6)
    assert calls == [(14, 4)]


def test_without_edge_features():
    data = random_graph()
    conv = GMoEConv(RelationalExperts(4, 6, 3), top_k=3, norm=None).double()
    x, (source, target) = data.x, data.edge_index
    out, routing = conv(x, data.edge_index, return_routing=True)
    mean = torch.zeros(9, 4).double().index_add_(0, target, x[source])
    mean /= torch.bincount(target, minlength=9).clamp(min=1).unsqueeze(1)
    bank = conv.experts
    h = torch.einsum('nd,ode->noe', mean, bank.weight)
    h = h + torch.einsum('nd,ode->noe', x, bank.root) + bank.bias
    expected = (routing.gates.unsqueeze(-1) * h).sum(dim=1)
    assert torch.allclose(out, expected, rtol=1e-10)


@pytest.mark.parametrize('kind', [RelationalConv, RelationalExperts])
def test_unknown_composition(kind):
    with pytest.raises(ValueError, match="'composition' must be one of.*max"):
        kind(4, 4, 2, composition='max')
