"""Layers of a network of nodes."""

import pytest
import torch
from torch import nn
from torch_geometric import nn as pyg

from gmoe.nn import GMoEConv
from gmoe.nn.models.layers import MixtureSettings
from gmoe.nn.models.node_layers import (
    NODE_CONVS,
    NodeInputs,
    make_end,
    make_node_conv,
    make_node_layer,
    node_hops,
)

EDGES = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
MIXTURE = MixtureSettings(3, 3, 2, 'linear_softmax_topk', None, None)


@pytest.mark.parametrize('kind', NODE_CONVS)
def test_layers(kind):
    inputs = NodeInputs(*node_hops(EDGES, None, 3, False), None, None)
    x = torch.rand(3, 6)
    for mixture in (None, MIXTURE):
        conv = make_node_layer(kind, 6, 4, 2, mixture)
        routings = []
        out = inputs.run(conv, x, routings)
        assert out.shape == (3, 4)
        assert isinstance(conv, GMoEConv) == (len(routings) == 1)
        assert (mixture is None) == (routings == [])


@pytest.mark.parametrize('weighted', [False, True])
@pytest.mark.parametrize('kind', NODE_CONVS)
def test_single_ones_are_as_by_themselves(kind, weighted):
    """Outputs and gradients are those of PyG's forward."""
    conv = make_node_conv(kind, 6, 4, heads=2).double()
    x = torch.randn(3, 6, dtype=torch.float64, requires_grad=True)
    weight = None
    if weighted and kind == 'gcn':
        weight = torch.rand(4, dtype=torch.float64)
    inputs = NodeInputs(*node_hops(EDGES, None, 3, False), None, weight)
    kwargs = {} if weight is None else {'edge_weight': weight}
    values = []
    for out in (inputs.run(conv, x, []), conv(x, EDGES, **kwargs)):
        learned = [x, *conv.parameters()]
        grads = torch.autograd.grad(out.square().sum(), learned)
        values.append([out, *grads])
    for got, expected in zip(*values, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-10)


def test_who_listens_to_a_single_one_sees_it():
    conv, seen = make_node_conv('gcn', 6, 4), []
    conv.register_forward_hook(lambda *_: seen.append(1))
    inputs = NodeInputs(*node_hops(EDGES, None, 3, False), None, None)
    inputs.run(conv, torch.rand(3, 6), [])
    assert seen == [1]


def test_convolutions_are_those_of_pyg():
    classes = [type(make_node_conv(kind, 4, 4)) for kind in NODE_CONVS]
    assert classes == [pyg.GCNConv, pyg.SAGEConv, pyg.GATConv]
    with pytest.raises(ValueError, match='multiple of heads=3.*got 4'):
        make_node_conv('gat', 4, 4, 3)


def test_ends():
    assert isinstance(make_end('conv', 2, 3), nn.Identity)
    assert make_end('linear', 2, 3).weight.shape == (3, 2)


def test_hops():
    far = torch.tensor([[0, 2], [2, 0]])
    hop1, hop2 = node_hops(EDGES, far, 3, True)
    assert (hop1.num_edges, hop2.num_edges) == (4, 2)
    assert node_hops(hop1, far, 3, False) == (hop1, None)
    with pytest.raises(ValueError, match='the network looks at hop-2 edges;'):
        node_hops(EDGES, None, 3, True)
