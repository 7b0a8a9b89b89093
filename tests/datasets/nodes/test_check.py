"""Graphs that no network can learn from."""

import pytest
import torch
from torch_geometric.data import HeteroData
from torch_geometric.utils import is_undirected

from gmoe.datasets import check_node_graph
from gmoe.datasets.nodes.check import one_edge_each
from tests.datasets.nodes import small


def set_at(key, index, value):
    def change(data):
        data[key][index] = value

    return change


def replace(key, make):
    def change(data):
        data[key] = make(data.get(key))

    return change


CASES = {
    "'val_mask' and 'train_mask' must not overlap, got node 0": set_at(
        'val_mask', 0, True
    ),
    "'test_mask' and 'train_mask' must not overlap": set_at(
        'test_mask', 0, True
    ),
    "'train_mask' must hold a node": replace('train_mask', torch.zeros_like),
    "'y' must have a class for each node of 'train_mask', got none for node "
    '0': set_at('y', 0, -1),
    "'y' must hold classes from 0 to 999, .* got -2": set_at('y', 0, -2),
    "'y' must hold classes from 0 to 999, .* got 1000": set_at('y', 0, 1000),
    "'y' must be int64 classes .* got torch.float32": replace(
        'y', lambda y: y.float()
    ),
    "'y' must be int64 classes .* got none": replace('y', lambda _: None),
    "'x' must be finite, got NaN or infinity at node 3": set_at(
        'x', (3, 0), torch.nan
    ),
    "'x' must be finite, got NaN or infinity at node 4": set_at(
        'x', (4, 1), -torch.inf
    ),
    "'x' must be a dense float32": replace('x', lambda x: x.long()),
    "'x' must be a dense .* got none": replace('x', lambda _: None),
    "'x' must be a dense float32 .* of shape": replace(
        'x', lambda x: x.to_sparse()
    ),
    "'edge_index' must hold ids of nodes from 0 to 29, got 30": set_at(
        'edge_index', (0, 0), 30
    ),
    "'edge_index' must hold ids of nodes from 0 to 29, got -1": set_at(
        'edge_index', (1, 2), -1
    ),
    "'edge_index' must be an int64": replace(
        'edge_index', lambda ends: ends.t()
    ),
    "'edge_weight' must be 33 float32 numbers": replace(
        'edge_weight', lambda _: torch.ones(33, 1)
    ),
    "'edge_weight' must hold finite numbers >= 0, got -1.0 .33 such": replace(
        'edge_weight', lambda _: -torch.ones(33)
    ),
    "'test_mask' must be a bool": replace('test_mask', lambda _: None),
}


@pytest.mark.parametrize('message', CASES)
def test_refused(message):
    data = small.make_graph()
    check_node_graph(data)
    CASES[message](data)
    with pytest.raises(ValueError, match=message):
        check_node_graph(data)


def test_nodes_outside_of_the_split_need_no_class():
    data = small.make_graph()
    data.train_mask[0] = False
    data.y[0] = -1
    check_node_graph(data)


def test_labels_that_are_0_or_1():
    data = small.make_graph()
    data.y = (data.y.view(-1, 1) == torch.arange(2)).float()
    data.y[1, 0] = torch.nan
    check_node_graph(data)
    data.y[0] = torch.nan
    with pytest.raises(ValueError, match='a class for each node'):
        check_node_graph(data)
    data.y[0] = 2
    with pytest.raises(ValueError, match='0, 1 or NaN'):
        check_node_graph(data)


def test_other_kinds_of_graphs():
    with pytest.raises(TypeError, match=r'data\.to_homogeneous\(\)'):
        check_node_graph(HeteroData())
    with pytest.raises(TypeError, match='must be a Data, got dict'):
        check_node_graph({})


def test_one_edge_each():
    data = small.make_graph()
    one_way = data.edge_index
    data.edge_index = torch.cat([one_way, one_way[:, :5]], dim=1)
    data.edge_weight = torch.ones(38)
    notes = one_edge_each(data, undirected=False)
    assert notes == [
        '5 edges of 38 left out: they are there twice',
        'Edges go one way, as they are given',
    ]
    assert sorted(data.edge_index.t().tolist()) == sorted(one_way.t().tolist())
    assert data.edge_weight.tolist() == [1] * 33
    notes = one_edge_each(data, undirected=True)
    assert notes == ['Edges go both ways: 33 made 66 edges']
    assert is_undirected(data.edge_index)
    assert data.edge_weight.tolist() == [1] * 66
    assert one_edge_each(data, undirected=True) == []


def test_isolated_nodes_are_fine():
    data = small.make_graph()
    data.edge_index = data.edge_index[:, :3]
    check_node_graph(data)
    data.edge_index = data.edge_index[:, :0]
    check_node_graph(data)
    assert one_edge_each(data, undirected=True) == []
