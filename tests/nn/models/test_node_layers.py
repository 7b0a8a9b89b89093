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
