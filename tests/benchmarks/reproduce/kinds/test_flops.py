"""How much a network computes."""

import pytest
import torch
from torch_geometric.data import Batch

from benchmarks.reproduce.kinds.flops import flops_per_graph
from gmoe.training import GraphPredictor
from gmoe.transforms import TwoHop
from tests.nn.models.test_gnn import EDGE_DIMS, NODE_DIMS, molecules


@pytest.mark.parametrize('top_k', [None, 2])
def test_flops_are_those_of_the_matrix_products(top_k):
    torch.manual_seed(0)
    width, layers = 16, 3
    model = GraphPredictor(
        'ogbg-molesol',
        'regression',
        'rmse',
        hidden_channels=width,
        num_layers=layers,
        node_dims=NODE_DIMS,
        edge_dims=EDGE_DIMS,
        num_experts=1 if top_k is None else 4,
        top_k=top_k,
    )
    batch = TwoHop()(Batch.from_data_list(molecules([(6, 8)] * 4)))
    found = flops_per_graph(model, batch) * batch.num_graphs
    one = 2 * batch.num_nodes * width
    head = 2 * batch.num_graphs * width
    if top_k is None:
        assert found == layers * one * width + head
    else:
        # The gate and the terms of the kinds of bonds that occur, then the
        # rows that some expert needs: at least those of the nodes that chose
        # it.
        kinds = len(batch.edge_attr.unique(dim=0))
        features = sum(EDGE_DIMS)
        fixed = one * 4 + 2 * 4 * kinds * features * width
        least = layers * (fixed + top_k * one * width) + head
        most = layers * (fixed + 4 * one * width) + head
        assert least <= found <= most
