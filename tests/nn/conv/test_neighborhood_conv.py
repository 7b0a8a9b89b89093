import pytest
import torch

from gmoe.nn import Neighborhood
from gmoe.nn.conv.neighborhood_conv import NeighborhoodConv
from gmoe.nn.encoders.embedding import make_feature_encoder
from tests.graphs import random_graph


class Sum(NeighborhoodConv):
    """The sum of neighbours and edges."""

    def __init__(self):
        super().__init__(4, 4, aggr='add')
        self.edge_encoder = make_feature_encoder((5, 6, 2), 4)

    def _convolve(self, x, edge_index, edge_term):
        return self.propagate(edge_index, x=x, edge_term=edge_term)

    def message(self, x_j, edge_term):
        return x_j + edge_term


def test_edges_and_their_neighborhood_are_the_same():
    data, conv = random_graph(), Sum().double()
    expected = conv(data.x, data.edge_index, data.edge_attr)
    hop = Neighborhood.from_edge_index(data.edge_index, data.edge_attr, 9)
    torch.testing.assert_close(conv(data.x, hop), expected)
    before = conv.edge_encoder.weight.clone()
    conv.reset_parameters()
    assert not torch.equal(conv.edge_encoder.weight, before)


def test_missing_features_are_named():
    data, conv = random_graph(), Sum().double()
    bare = Neighborhood.from_edge_index(data.edge_index, None, 9)
    for edges in (data.edge_index, bare):
        with pytest.raises(ValueError, match="'edge_attr' must be .*None"):
            conv(data.x, edges)
    with pytest.raises(ValueError, match="'edge_index' must be a tensor"):
        conv(data.x, None)
