"""A network reads all that it needs of a graph of PyG."""

import pytest
import torch
from torch_geometric.data import Batch

from gmoe.nn import GNN
from gmoe.nn.models.on_data import on_data
from tests.explained import NETWORKS, arguments, make_gnn, molecule


@pytest.mark.parametrize('name', NETWORKS)
def test_all_parts_are_given(name):
    model, data = make_gnn(name), molecule()
    expected = model(data.x, data.edge_index, **arguments(data))
    assert torch.equal(on_data(model, data), expected)
    out, routings = on_data(model, data, return_routing=True)
    assert torch.equal(out, expected)
    assert len(routings) == len(model.moe_layers)


def test_a_batch_whose_last_graph_is_empty():
    first, last = molecule(), molecule()
    last.x = last.x[:0]
    for name in ('edge_index', 'edge_index_2hop'):
        last[name] = last[name][:, :0]
    for name in ('edge_attr', 'edge_attr_2hop'):
        last[name] = last[name][:0]
    batch = Batch.from_data_list([first, last])
    assert on_data(make_gnn('gcn'), batch).shape == (2, 1)


def test_other_nodes():
    model, data = make_gnn('gcn'), molecule()
    other = torch.zeros_like(data.x)
    expected = model(other, data.edge_index, **arguments(data))
    assert torch.equal(on_data(model, data, other), expected)


def test_features_of_graphs_are_for_networks_that_read_them():
    data = molecule()
    data.graph_attr = torch.randn(1, 2)
    torch.manual_seed(0)
    settings = {'hidden_channels': 8, 'num_layers': 1, 'node_dims': (5, 3)}
    model = GNN(**settings).eval()
    expected = model(data.x, data.edge_index, data.edge_attr)
    assert torch.equal(on_data(model, data), expected)
    model = GNN(**settings, graph_dims=2).eval()
    model.graph_features.fit(torch.randn(9, 2))
    expected = model(
        data.x, data.edge_index, data.edge_attr, graph_attr=data.graph_attr
    )
    assert torch.equal(on_data(model, data), expected)
