import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch_geometric.loader import DataLoader

from gmoe.datasets import from_smiles
from gmoe.datasets.molecules.dataset import MoleculeDataset
from gmoe.datasets.molecules.splits import NO_VALID
from gmoe.datasets.molecules.table import read_table

pytest.importorskip('rdkit')

HEADER = 'smiles,y,w,part\n'
ROWS = 'OCC,1,1,train\nC(,2,1,train\nCC,3.5,2,valid\nCCC,,1,test\n'
ROWS += 'CCO,4,0,test\nCO,0.25,1,\n'
MORE = ''.join(f'{"C" * i}O,{i},1,train\n' for i in range(3, 12))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / 'my.csv'
    path.write_text(HEADER + ROWS + MORE)
    return path


def test_graphs(path: Path):
    dataset = MoleculeDataset(path, targets='y', log=False)
    assert len(dataset) == 13
    assert (dataset.num_tasks, dataset.num_classes) == (1, -1)
    assert dataset.task_type == 'regression'
    data = dataset[0]
    assert set(data.keys()) == {
        'x',
        'edge_index',
        'edge_attr',
        'y',
        'graph_id',
    }
    expected = from_smiles('CCO')
    for key in ('x', 'edge_index', 'edge_attr'):
        assert torch.equal(data[key], expected[key])
    assert data.y.tolist() == [[1]]
    assert dataset._data.y[:4, 0].tolist() == [1, 3.5, 4, 0.25]
    assert [dataset.smiles(i) for i in range(3)] == ['CCO', 'CC', 'CCO']
    assert [dataset.row(i) for i in range(4)] == [2, 4, 6, 7]
    assert dataset.graph_ids.tolist() == list(range(13))
    batch = next(iter(DataLoader(dataset, batch_size=13)))
    assert batch.y.shape == (13, 1)
    batch.validate()


def test_what_is_left_out_is_said(path: Path, capfd):
    dataset = MoleculeDataset(path, targets='y')
    assert dataset.skipped == [
        (3, 'C(', 'no SMILES string that RDKit can read'),
        (5, 'CCC', 'no label'),
    ]
    out, err = capfd.readouterr()
    assert out == ''
    assert err.splitlines() == dataset.said
    assert '13 of 15 molecules are kept' in dataset.said
    assert '1 row is a copy of 1 molecule: kept' in dataset.said
    assert '[2, 6]' in err
    MoleculeDataset(path, targets='y', log=False)
    assert capfd.readouterr() == ('', '')


def test_weights_and_parts(path: Path):
    dataset = MoleculeDataset(
        path, targets='y', weights='w', split_column='part', log=False
    )
    assert dataset._data.weight[:3].tolist() == [1, 2, 0]
    assert dataset[1].weight.tolist() == [2]
    assert dataset.skipped[-1] == (7, 'CO', 'in no part of the split')
    parts = dataset.get_idx_split()
    assert parts['valid'].tolist() == [1]
    assert parts['test'].tolist() == [2]
    assert any(
        'LEAK: in several parts of the split: 1 ' in said
        for said in dataset.said
    )
    parts = dataset.get_idx_split('random', seed=3)
    assert sum(map(len, parts.values())) == len(dataset)


def test_parts_without_one_to_validate_on(tmp_path: Path):
    path = tmp_path / 'a.csv'
    rows = [f'{"C" * (i % 25 + 1)},{i},train' for i in range(40)]
    path.write_text('\n'.join(['smiles,y,part', *rows, 'CCO,1,test']))
    dataset = MoleculeDataset(
        path, targets='y', split_column='part', log=False
    )
    assert NO_VALID in dataset.said
    parts = dataset.get_idx_split(seed=1)
    assert parts['test'].tolist() == [40]
    assert 3 <= len(parts['valid']) <= 5
    joined = torch.cat([parts['train'], parts['valid']])
    assert joined.sort().values.tolist() == list(range(40))
    train = {dataset.smiles(i) for i in parts['train']}
    assert not train & {dataset.smiles(i) for i in parts['valid']}


def test_features(path: Path):
    class Features:
        def compute(self, smiles, *settings):
            return np.array([[len(text), np.nan] for text in smiles])

    dataset = MoleculeDataset(path, targets='y', features=Features())
    assert dataset[1].graph_attr.shape == (1, 2)
    assert dataset[1].graph_attr[0, 0] == 2
    assert dataset.take([1, 0]).graph_attr[:, 0].tolist() == [2, 3]


def test_classes(tmp_path: Path):
    path = tmp_path / 'a.csv'
    rows = [f'{"C" * i},{"abc"[i % 3]}' for i in range(1, 19)]
    path.write_text('\n'.join(['smiles,kind', *rows, 'CO,', 'C(,a']))
    dataset = MoleculeDataset(path, targets='kind', log=False)
    assert dataset.info.classes == ('a', 'b', 'c')
    assert dataset.num_classes == 3
    assert dataset._data.y[:3].tolist() == [1, 2, 0]
    assert dataset[0].y.dtype == torch.long
    assert dataset.take([2, 0]).y.tolist() == [0, 1]
    assert [row.row for row in dataset.skipped] == [20, 21]


def test_parts_and_copies_of_a_dataset(path: Path):
    dataset = MoleculeDataset(path, targets='y', log=False)
    part = dataset[[3, 0]]
    assert [part.smiles(i) for i in range(2)] == ['CO', 'CCO']
    assert part.copy().row(0) == 7
    assert pickle.loads(pickle.dumps(part)).row(0) == 7
    parts = part.get_idx_split('random')
    assert sum(map(len, parts.values())) == 2
    with pytest.raises(IndexError, match="'idx' must be"):
        part.smiles(2)


def test_of_a_table(path: Path):
    table = read_table(path, targets='y')
    dataset = MoleculeDataset.from_table(table, log=False)
    expected = MoleculeDataset(path, targets='y', log=False)
    assert torch.equal(dataset._data.x, expected._data.x)
    assert dataset.info == expected.info


def test_too_few_are_left(tmp_path: Path):
    path = tmp_path / 'a.csv'
    path.write_text('smiles,y\nCCO,1\nCC,2.5\n' + 'C(,3\n' * 20)
    with pytest.raises(ValueError, match=r'column of SMILES|got 2: 20 are'):
        MoleculeDataset(path, log=False)
    path.write_text('smiles,y\n' + 'CCO,1\n' * 12 + 'C(,0\n')
    with pytest.raises(ValueError, match='several values among'):
        MoleculeDataset(path, log=False)


def test_real_file(data_root: Path):
    dataset = MoleculeDataset(
        data_root / 'moleculenet' / 'clintox.csv', log=False
    )
    assert len(dataset) + len(dataset.skipped) == 1484
    assert len(dataset.skipped) < 10
    assert all(
        row.reason.startswith('RDKit refuses it') for row in dataset.skipped
    )
    assert dataset.num_tasks == 2
