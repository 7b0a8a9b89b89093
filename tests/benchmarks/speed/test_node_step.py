"""A training step of a node network, a mixture beside one network."""

import json
from types import SimpleNamespace

import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.utils import coalesce, remove_self_loops

from benchmarks.speed import node_step
from benchmarks.speed.node_step import PEERS, StockNodeGNN, main
from benchmarks.speed.node_step_table import content
from gmoe.nn import NodeGNN
from tests.graphs import random_graph


@pytest.fixture
def data():
    # Neither loops nor the same edge twice, as a matrix has none.
    edges = remove_self_loops(coalesce(random_graph(30, 90).edge_index))[0]
    return Data(x=torch.randn(30, 5), edge_index=edges, y=torch.arange(30) % 3)


def test_rows(data, tmp_path, monkeypatch):
    seen = []

    def load(name, root):
        seen.append((name, root))
        return SimpleNamespace(data=data)

    monkeypatch.setattr(node_step, 'load_nodes', load)
    path = tmp_path / 'step.json'
    main(tmp_path, num_experts=[3, 4], hidden_channels=8, json=path)
    record = json.loads(path.read_text())
    made = [
        (r['dataset'], r['conv'], r['num_experts']) for r in record['rows']
    ]
    assert made == [
        (dataset, conv, count)
        for dataset in node_step.DATASETS
        for conv in node_step.CONVS
        for count in (3, 4)
    ]
    for row in record['rows']:
        ratio = row['mixture_ms'] / row['single_ms']
        assert row['times_as_long_as_single'] == pytest.approx(ratio, abs=0.1)
    assert seen == [(name, tmp_path) for name in node_step.DATASETS]
    *_, last = content(record).splitlines()
    ratio = record['rows'][-1]['times_as_long_as_sparse']
    assert last.startswith('| tolokers | sage | 4 |')
    assert f'{ratio:.2f} (' in last


@pytest.mark.parametrize('conv', node_step.CONVS)
def test_peers_are_the_same_network(data, conv):
    torch.manual_seed(0)
    model = NodeGNN(5, 3, 8, 2, conv).eval()
    torch.manual_seed(0)
    stock = StockNodeGNN(5, 3, 8, 2, conv).eval()
    expected = model(data.x, data.edge_index)
    for edges in (data.edge_index, node_step.sparse_matrix(data)):
        assert torch.allclose(stock(data.x, edges), expected, atol=1e-5)


def test_steps_train(data):
    for kind in (*PEERS, 4):
        step = node_step.make_step(data, 'sage', kind, 2, 8, 2)
        assert step.__closure__ is not None
        (model,) = (
            cell.cell_contents
            for cell in step.__closure__
            if isinstance(cell.cell_contents, NodeGNN)
        )
        before = model.input.weight.detach().clone()
        step()
        assert not torch.equal(model.input.weight, before)
