"""SMILES strings as what a network reads."""

import pickle

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch

from gmoe.datasets.molecules.features import MoleculeFeatures
from gmoe.datasets.molecules.graphs import graphs_of
from gmoe.molecules import featurized
from gmoe.molecules.featurized import Featurizer
from gmoe.molecules.uncertainty.nearest import fingerprints
from tests.molecules import tiny

SMILES = ['', *tiny.SMILES, 'C1CC', '[Na+].[Cl-]', 'not a molecule', 'O']


@pytest.mark.parametrize('most', [1, 20, 20_000])
def test_batches_are_those_of_the_graphs(most, monkeypatch):
    monkeypatch.setattr(featurized, 'MOST_ATOMS', most)
    features = MoleculeFeatures(['counts'])
    made = Featurizer(features.to_dict())(SMILES)
    graphs, reasons = graphs_of(SMILES, features)
    assert made.reasons == reasons
    kept = [i for i, graph in enumerate(graphs) if graph is not None]
    assert made.kept.tolist() == kept
    batches = list(made.batches())
    assert max(batch.num_nodes for batch in batches) <= max(most, 11)
    found = [graph for batch in batches for graph in unbatch(batch)]
    assert len(found) == len(kept)
    for i, graph in zip(kept, found):
        for key in ('x', 'edge_index', 'edge_attr', 'graph_attr'):
            assert torch.equal(graph[key], graphs[i][key])


def unbatch(batch: Batch):
    for i in range(batch.num_graphs):
        nodes = slice(batch.ptr[i], batch.ptr[i + 1])
        edges = batch.batch[batch.edge_index[0]] == i
        yield {
            'x': batch.x[nodes],
            'edge_index': batch.edge_index[:, edges] - batch.ptr[i],
            'edge_attr': batch.edge_attr[edges],
            'graph_attr': batch.graph_attr[i : i + 1],
        }


def test_similarity_is_of_those_that_are_kept():
    known = fingerprints(tiny.SMILES[:1])
    made = Featurizer(None, known)(['', 'OCC', 'CCCCCCCCN'])
    assert made.similarity[0] == 1
    assert made.similarity[1] < 0.5
    assert made.features is None


def test_none_is_kept():
    made = Featurizer()(['', 'C1CC'])
    assert list(made.batches()) == []
    assert list(Featurizer()([]).batches()) == []


def test_it_is_sent_between_processes():
    made = pickle.loads(pickle.dumps(Featurizer()(SMILES)))
    assert all(isinstance(v, np.ndarray) for v in made.graphs.values())
