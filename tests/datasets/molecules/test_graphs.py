import numpy as np
import pytest
import torch

from gmoe.datasets.molecules import graphs
from gmoe.datasets.molecules.graphs import (
    cached_graphs,
    graphs_of,
    make_graphs,
    select,
)
from gmoe.datasets.molecules.molecule import NAME, Molecule, Refused
from gmoe.datasets.ogb.smiles import from_smiles

pytest.importorskip('rdkit')

SMILES = ['OCC', 'C(', 'C', '', 'C/C=C/C', 'OCC ethanol', 'C[C@H](N)O'] * 5


def assert_same(a, b):
    assert a.found == b.found
    for key in a.tensors:
        assert torch.equal(a.tensors[key], b.tensors[key])


def test_what_is_found():
    found = make_graphs(SMILES).found
    assert found[0] == Molecule('CCO')
    assert found[5] == Molecule('CCO', (NAME,))
    assert found[3] == Refused('empty')
    assert len(found) == len(SMILES)


@pytest.mark.parametrize('num_workers', [None, 2])
def test_graphs_are_those_of_the_canonical_form(num_workers, monkeypatch):
    made, reasons = graphs_of(SMILES, num_workers=num_workers)
    for data, reason, text in zip(made, reasons, SMILES):
        if data is None:
            assert reason
            continue
        assert reason == ''
        expected = from_smiles(data.smiles)
        assert data.keys() == expected.keys()
        for key in ('x', 'edge_index', 'edge_attr'):
            assert torch.equal(data[key], expected[key]), text
            assert data[key].is_contiguous()
        assert data.featurization == 'ogb'
    assert made[0].smiles == 'CCO'
    assert [data is None for data in made[:4]] == [False, True, False, True]


def test_features():
    class Features:
        def compute(self, smiles, num_workers=None, columns=None):
            assert 'OCC' not in smiles
            return np.array([[len(text), 0.5] for text in smiles])

    made, _ = graphs_of(['OCC', '', 'C'], Features())
    assert made[0].graph_attr.tolist() == [[3, 0.5]]
    assert made[2].graph_attr.tolist() == [[1, 0.5]]
    assert made[2].graph_attr.dtype == torch.float32


def test_nothing():
    assert graphs_of([]) == ([], [])
    assert graphs_of(['', 'x('])[0] == [None, None]


def test_processes_make_the_same(monkeypatch):
    monkeypatch.setattr('gmoe.datasets.molecules.parallel.CHUNK', 3)
    assert_same(make_graphs(SMILES, 0), make_graphs(SMILES, 2))


def test_select():
    made = make_graphs(['CCO', 'C', 'C#N', 'CC'])
    part = select(made.tensors, torch.tensor([False, True, True, False]))
    expected = make_graphs(['C', 'C#N']).tensors
    for key in expected:
        assert torch.equal(part[key], expected[key])


def test_cache(tmp_path, monkeypatch):
    first = cached_graphs(SMILES, cache_dir=tmp_path)
    with monkeypatch.context() as context:
        context.setattr(graphs, 'make_graphs', None)
        assert_same(first, cached_graphs(SMILES, cache_dir=tmp_path))
        with pytest.raises(TypeError):
            cached_graphs(SMILES[1:], cache_dir=tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    cached_graphs(SMILES[1:], cache_dir=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_damaged_cache_is_made_again(tmp_path):
    first = cached_graphs(SMILES, cache_dir=tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-100])
    assert_same(first, cached_graphs(SMILES, cache_dir=tmp_path))


def test_strings_that_only_join_to_the_same(tmp_path):
    a = cached_graphs(['CC', 'O'], cache_dir=tmp_path)
    b = cached_graphs(['C', 'CO'], cache_dir=tmp_path)
    assert a.found != b.found
