"""What stands beside the paper's models: FLOPs, forests, mean predictions."""

import math

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch

from benchmarks.reproduce.ensemble import ensemble
from benchmarks.reproduce.job import Job
from benchmarks.reproduce.kinds.flops import flops_per_graph
from benchmarks.reproduce.kinds.forest import fingerprints, train
from benchmarks.reproduce.run import Run
from benchmarks.reproduce.tables import load_table
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
        # The gate and the terms of all kinds of bonds, then the rows that some
        # expert needs: at least those of the nodes that chose it.
        kinds, features = math.prod(EDGE_DIMS), sum(EDGE_DIMS)
        fixed = one * 4 + 2 * 4 * kinds * features * width
        least = layers * (fixed + top_k * one * width) + head
        most = layers * (fixed + 4 * one * width) + head
        assert least <= found <= most


def test_fingerprints():
    pytest.importorskip('rdkit')
    # The last but one has a valence that rdkit refuses.
    bits = fingerprints(
        ['CCO', 'OCC', 'c1ccccc1', 'C[N](C)(C)(C)C', ''], 2, 64
    )
    assert bits.shape == (5, 64)
    assert (bits[0] == bits[1]).all()
    assert (bits[0] != bits[2]).any()
    assert bits[3].sum() > 0
    assert bits[4].sum() == 0


@pytest.fixture
def forests(data_root, tmp_path):
    pytest.importorskip('rdkit')
    (cell,) = load_table('table2').select(['molfreesolv/forest'], None)
    cell.settings['forest']['num_trees'] = 3
    runs = [Run(cell, seed) for seed in range(2)]
    results = []
    for run in runs:
        run.folder(tmp_path).mkdir(parents=True)
        results.append(train(Job(run, data_root / 'ogb', tmp_path, '')))
    return runs, results


def test_forest_and_mean_prediction(forests, tmp_path):
    runs, results = forests
    arrays = []
    for run, result in zip(runs, results):
        with np.load(run.folder(tmp_path) / 'predictions.npz') as file:
            arrays.append((file['prediction'], file['target']))
        prediction, target = arrays[-1]
        rmse = np.sqrt(((prediction - target) ** 2).mean())
        assert result['test'] == pytest.approx(rmse, abs=1e-5)
    assert results[0]['test'] != results[1]['test']
    mean = ensemble(runs, 'rmse', tmp_path)
    error = (arrays[0][0] + arrays[1][0]) / 2 - arrays[0][1]
    assert mean['test'] == pytest.approx(np.sqrt((error**2).mean()), abs=1e-5)
    assert mean['seeds'] == [0, 1]
