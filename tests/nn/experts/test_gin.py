"""The bank's parameters; its outputs are tested in test_gmoe_conv.py."""

import math

import pytest
import torch

from gmoe.nn import GINExperts, Neighborhood, OGBGINConv
from gmoe.routing import UniformRouter
from tests.graphs import EDGE_DIMS, random_graph


def test_parameter_shapes():
    bank = GINExperts(4, 6, 3, 1, EDGE_DIMS)
    shapes = {k: tuple(v.shape) for k, v in bank.named_parameters()}
    assert shapes == {
        'eps': (3,),
        'weight1': (3, 4, 8),
        'bias1': (3, 8),
        'norm.weight': (3, 8),
        'norm.bias': (3, 8),
        'weight2': (3, 8, 6),
        'bias2': (3, 6),
        'edge_encoders.encoders.1hop.weight': (1, 1, 13, 4),
        'edge_encoders.encoders.2hop.weight': (2, 2, 13, 4),
    }
    bank = GINExperts(4, 6, 3, edge_dims=EDGE_DIMS)
    plain = sum(p.numel() for p in OGBGINConv(4, 6, EDGE_DIMS).parameters())
    assert sum(p.numel() for p in bank.parameters()) == 3 * plain


def test_initial_values_are_those_of_linear():
    torch.manual_seed(0)
    bank = GINExperts(100, 50, 4)
    assert bank.eps.abs().sum() == 0
    for weight, bias in (
        (bank.weight1, bank.bias1),
        (bank.weight2, bank.bias2),
    ):
        bound = 1 / math.sqrt(weight.size(1))
        for expert in range(4):
            assert 0.9 * bound < weight[expert].abs().max() <= bound
            assert 0.8 * bound < bias[expert].abs().max() <= bound


@pytest.mark.parametrize('norm', ['batch_norm', 'layer_norm'])
def test_reset_parameters(norm):
    bank = GINExperts(4, 6, 3, 1, EDGE_DIMS, norm)
    for value in (*bank.parameters(), *bank.norm.buffers()):
        value.data.fill_(100)
    bank.reset_parameters()
    for value in (*bank.parameters(), *bank.norm.buffers()):
        assert (value.abs() <= 1).all()


def test_layer_norm_inside():
    torch.manual_seed(0)
    bank = GINExperts(4, 6, 2, edge_dims=EDGE_DIMS, norm='layer_norm').double()
    data = random_graph()
    hop = Neighborhood.from_edge_index(data.edge_index, data.edge_attr, 9)
    slots = UniformRouter(2)(data.x).by_expert
    out = bank(data.x, slots, hop, None).view(2, 9, 6)
    table = bank.edge_encoders.encoders['1hop'].weight[:, 0]
    offsets = torch.tensor([0, 5, 11])
    for o in range(2):
        term = table[o][data.edge_attr + offsets].sum(dim=1)
        message = (data.x[data.edge_index[0]] + term).relu()
        h = data.x.index_add(0, data.edge_index[1], message)
        h = h @ bank.weight1[o] + bank.bias1[o]
        h = torch.nn.functional.layer_norm(h, (8,)).relu()
        expected = h @ bank.weight2[o] + bank.bias2[o]
        assert torch.allclose(out[o], expected, rtol=1e-9)
    with pytest.raises(ValueError, match="'kind' must be one of"):
        GINExperts(4, 6, 2, norm='group')
