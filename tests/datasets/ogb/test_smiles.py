"""Graphs of SMILES strings, those of OGB's datasets and of other origin."""

import importlib
from pathlib import Path

import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.utils import from_smiles as pyg_from_smiles

from gmoe.datasets import OGBMolDataset, from_smiles
from gmoe.nn import GNN
from gmoe.training import GraphPredictor

pytest.importorskip('rdkit')

# Alcohol, acid, amine, salt, nitrile, ring, halogens, charge, stereo bond.
MOLECULES = ['CCO', 'CC(=O)O', 'NCC(=O)O', '[Na+].[Cl-]', 'CC#N', 'C1CCCCC1']
MOLECULES += ['FC(F)(Cl)Br', 'C[N+](C)(C)C', 'C/C=C/C', 'c1ccccc1O', 'C']


def model() -> GraphPredictor:
    torch.manual_seed(0)
    return GraphPredictor(
        'ogbg-molesol', 'regression', 'rmse', hidden_channels=8
    ).eval()


def test_graph():
    data = from_smiles('CCO')
    assert data.x.tolist() == [
        [5, 0, 4, 5, 3, 0, 2, 0, 0],
        [5, 0, 4, 5, 2, 0, 2, 0, 0],
        [7, 0, 2, 5, 1, 0, 2, 0, 0],
    ]
    assert data.edge_index.tolist() == [[0, 1, 1, 2], [1, 0, 2, 1]]
    assert data.edge_index.is_contiguous()
    assert data.edge_attr.tolist() == [[0, 0, 0]] * 4
    assert (data.smiles, data.featurization) == ('CCO', 'ogb')
    single = from_smiles('C')
    assert single.edge_index.shape == (2, 0)
    assert single.edge_attr.shape == (0, 3)
    assert single.edge_index.dtype == single.edge_attr.dtype == torch.long


@pytest.mark.parametrize('name', ['ogbg-molesol', 'ogbg-molbbbp'])
def test_graphs_are_those_of_the_datasets(
    data_root: Path, tmp_path: Path, name: str
):
    dataset = OGBMolDataset(
        name, data_root / 'ogb', cache_dir=tmp_path, download=False
    )
    index = range(0, len(dataset), len(dataset) // 200)
    same = 0
    for i in index:
        data, expected = from_smiles(dataset.smiles(i)), dataset[i]
        same += all(
            torch.equal(data[key], expected[key])
            for key in ('x', 'edge_index', 'edge_attr')
        )
    # Releases of RDKit differ in what is aromatic or stereo.
    assert same >= 0.98 * len(index), f'{same} of {len(index)}'


def test_both_predict_the_same_alone_and_in_a_batch():
    predictor = model()
    data_list = [from_smiles(text) for text in MOLECULES]
    batch = Batch.from_data_list(data_list)
    assert batch.featurization == ['ogb'] * len(MOLECULES)
    with torch.no_grad():
        out, _ = predictor(batch)
        single = torch.cat([predictor(data)[0] for data in data_list])
    assert torch.allclose(out, single, atol=1e-5)


@pytest.mark.parametrize('text', MOLECULES)
def test_codes_of_other_origin_are_refused(text: str):
    data = pyg_from_smiles(text)
    for given in (data, Batch.from_data_list([data, data])):
        with pytest.raises(ValueError, match='gmoe.datasets.from_smiles'):
            model()(given)
    data.featurization = 'morgan'
    with pytest.raises(ValueError, match=r"be 'ogb', .* got \['morgan'\]"):
        model()(data)
    mixed = Batch.from_data_list([from_smiles(text), data])
    with pytest.raises(ValueError, match=r"got \['morgan', 'ogb'\]"):
        model()(mixed)


@pytest.mark.parametrize(
    'text', ['CCO', 'CC(=O)O', 'C/C=C/C', 'c1ccccc1O', 'ClC(Cl)(Br)I']
)
def test_codes_of_other_origin_are_refused_by_a_network(text: str):
    net = GNN(hidden_channels=8).eval()
    data = pyg_from_smiles(text)
    with pytest.raises(ValueError, match='gmoe.datasets.from_smiles'):
        net(data.x, data.edge_index, data.edge_attr)
    data = from_smiles(text)
    net(data.x, data.edge_index, data.edge_attr)


def test_codes_out_of_range():
    net = GNN(hidden_channels=8).eval()
    for column, value in ((3, 12), (4, 10), (6, 7)):
        data = from_smiles('CCO')
        data.x[1, column] = value
        with pytest.raises(
            ValueError,
            match=f'column {column}, got {value} in row 1; .*from_smiles',
        ):
            net(data.x, data.edge_index, data.edge_attr)


def test_data_that_says_nothing_is_taken_as_it_is():
    data = from_smiles('CCO')
    bare = Data(x=data.x, edge_index=data.edge_index, edge_attr=data.edge_attr)
    predictor = model()
    assert torch.equal(predictor(bare)[0], predictor(data)[0])


@pytest.mark.parametrize('text', ['', 'C(', 'Q' * 10**6])
def test_no_molecule(text: str, capfd: pytest.CaptureFixture[str]):
    with pytest.raises(ValueError, match="'smiles' must be the SMILES") as e:
        from_smiles(text)
    assert len(str(e.value)) < 200
    assert capfd.readouterr() == ('', '')
    with pytest.raises(
        TypeError, match="'smiles' must be a string, got a int"
    ):
        from_smiles(3)


def test_bond_without_a_code(monkeypatch: pytest.MonkeyPatch):
    def refuse(molecule: object) -> None:
        raise ValueError('A bond must have a stereo')

    monkeypatch.setattr('gmoe.datasets.ogb.smiles.codes', refuse)
    with pytest.raises(ValueError, match="'CCO': A bond must have a stereo"):
        from_smiles('CCO')


def test_without_rdkit(monkeypatch: pytest.MonkeyPatch):
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f'No module named {name!r}', name='rdkit')

    monkeypatch.setattr(importlib, 'import_module', missing)
    with pytest.raises(ImportError, match=r"'rdkit'.*'gmoe\[mol\]'"):
        from_smiles('CCO')
