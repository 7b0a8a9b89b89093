"""Peptides of the benchmark's files, beside OGB's own graphs of them."""

import gzip
import shutil
from pathlib import Path

import pytest
import torch

from gmoe.datasets import CorruptDatasetError, PeptidesFunc, import_ogb
from gmoe.datasets.peptides import _FILE

pytest.importorskip('rdkit')

ONE = '"[1, 0, 0, 0, 1, 0, 0, 0, 0, 1]"'
NONE = '"[0, 0, 0, 0, 0, 0, 0, 0, 0, 0]"'
ROWS = [f'OC(=O)CN,{ONE}', f'C[C@H](N)C(=O)O,{NONE}', f'NCC(=O)NC,{NONE}']


def write(folder: Path, rows: list[str], header='smiles,labels') -> Path:
    """Peptides of which the second is for training, the third for test."""
    split = folder / 'peptides-func' / 'split'
    split.mkdir(parents=True)
    text = '\n'.join([header, *rows]) + '\n'
    (split.parent / _FILE).write_bytes(gzip.compress(text.encode()))
    for name, row in (('train', 1), ('val', 0), ('test', 2)):
        content = gzip.compress(f'{row}\n'.encode())
        (split / f'{name}.csv.gz').write_bytes(content)
    return folder


def test_small_file(tmp_path):
    dataset = PeptidesFunc(write(tmp_path, ROWS), cache_dir=tmp_path / 'kept')
    assert len(dataset) == 3
    assert dataset[0].y.tolist() == [[1, 0, 0, 0, 1, 0, 0, 0, 0, 1]]
    assert not dataset[1].y.any()
    # The oxygen is first, as it is written.
    assert dataset[0].x[:, 0].tolist() == [7, 5, 7, 5, 6]
    assert dataset[0].edge_index[:, :2].tolist() == [[0, 1], [1, 0]]
    split = dataset.get_idx_split()
    assert {k: v.tolist() for k, v in split.items()} == {
        'train': [1],
        'valid': [0],
        'test': [2],
    }
    assert dataset[split['test']].smiles(0) == 'NCC(=O)NC'
    again = PeptidesFunc(tmp_path, cache_dir=tmp_path / 'kept')
    assert torch.equal(again[2].x, dataset[2].x)


def test_graphs_are_those_of_ogb(data_root, tmp_path):
    """Of the first peptides of the real file."""
    source = data_root / 'lrgb' / 'peptides-func' / _FILE
    with gzip.open(source, 'rt') as file:
        header, *rows = [next(file).rstrip('\n') for _ in range(6)]
    dataset = PeptidesFunc(write(tmp_path, rows, header), cache_dir=tmp_path)
    smiles2graph = import_ogb('ogb.utils').smiles2graph
    assert len(dataset) == 5
    for i, data in enumerate(dataset):
        expected = smiles2graph(dataset.smiles(i))
        assert data.x.tolist() == expected['node_feat'].tolist()
        assert data.edge_index.tolist() == expected['edge_index'].tolist()
        assert data.edge_attr.tolist() == expected['edge_feat'].tolist()


def test_official_split(data_root, tmp_path):
    """The rows of the real split, with a table of as many peptides."""
    write(tmp_path, [f'C,{ONE}'] * 15_535)
    split = tmp_path / 'peptides-func' / 'split'
    shutil.rmtree(split)
    split.symlink_to(data_root / 'lrgb' / 'peptides-func' / 'split')
    dataset = PeptidesFunc(tmp_path, cache_dir=tmp_path, num_workers=0)
    found = {k: len(v) for k, v in dataset.get_idx_split().items()}
    assert found == {'train': 10_873, 'valid': 2_331, 'test': 2_331}


def test_missing_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=f"'root' must .*{_FILE}"):
        PeptidesFunc(tmp_path)
    write(tmp_path, ROWS)
    (tmp_path / 'peptides-func' / 'split' / 'val.csv.gz').unlink()
    dataset = PeptidesFunc(tmp_path, cache_dir=tmp_path)
    with pytest.raises(FileNotFoundError, match=r'split/val.csv.gz'):
        dataset.get_idx_split()


@pytest.mark.parametrize(
    ('rows', 'message'),
    [
        ([], 'must hold peptides, got none'),
        ([*ROWS, f'not a peptide,{ONE}'], "row 3 .*got 'not a peptide'"),
        ([f',{ONE}'], r"row 0 must hold a peptide, got ''.*empty"),
        (['C,"[1, 0]"'], 'labels must be 10 numbers 0 or 1 in brackets'),
        (['C,"[1, 0, 0, 0, 1, 0, 0, 0, 0, 2]"'], 'labels must be 10 .*row 0'),
        (['C,"__import__(1)"'], 'labels must be 10 numbers'),
        (['C'], 'labels must be 10 numbers'),
        (['"'], "columns 'smiles' and 'labels', got"),
    ],
)
def test_other_content_is_refused(rows, message, tmp_path):
    with pytest.raises(CorruptDatasetError, match=message):
        PeptidesFunc(write(tmp_path, rows), cache_dir=tmp_path)


def test_other_files_are_refused(tmp_path):
    write(tmp_path, ROWS, header='smiles,activity')
    with pytest.raises(CorruptDatasetError, match="'smiles' and 'labels'"):
        PeptidesFunc(tmp_path, cache_dir=tmp_path)
    path = tmp_path / 'peptides-func' / _FILE
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(CorruptDatasetError, match='complete gzip file'):
        PeptidesFunc(tmp_path, cache_dir=tmp_path)
    path.write_bytes(gzip.compress(b'smiles,labels\n\xff\xfe,\xff\n'))
    with pytest.raises(CorruptDatasetError, match='must be a table'):
        PeptidesFunc(tmp_path, cache_dir=tmp_path)


def test_other_columns_are_left_out(tmp_path):
    text = f'row,smiles,peptide_seq,labels,identifier\n0,C,aB,{ONE},4\n'
    write(tmp_path, ROWS)
    path = tmp_path / 'peptides-func' / _FILE
    path.write_bytes(gzip.compress(text.encode()))
    dataset = PeptidesFunc(tmp_path, cache_dir=tmp_path)
    assert (len(dataset), dataset.smiles(0)) == (1, 'C')
    assert dataset[0].y.sum() == 3
