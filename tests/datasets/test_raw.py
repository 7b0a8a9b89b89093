import gzip
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from gmoe.datasets import CorruptDatasetError
from gmoe.datasets._raw import (
    fingerprint,
    parse_raw,
    read_raw_bytes,
    read_split,
)
from gmoe.datasets.ogb_info import ogb_mol_info

INFO = ogb_mol_info('ogbg-moltox21')


def parse(folder: Path) -> dict[str, torch.Tensor]:
    return parse_raw(read_raw_bytes(folder / 'raw'), folder / 'raw', INFO)


def test_parse_raw(root: Path):
    out = parse(root / 'ogbg_moltox21')
    assert out['num_nodes'].tolist() == [3, 1, 2]
    assert out['num_edges'].tolist() == [2, 0, 1]
    assert out['x'][:, 0].tolist() == list(range(6))
    assert out['edge'].tolist() == [[0, 1], [1, 2], [0, 1]]
    assert out['edge_attr'][2].tolist() == [3, 5, 1]
    assert out['y'].shape == (3, 12)
    assert out['y'].isnan().sum(1).tolist() == [10, 0, 11]


def test_parse_raw_without_edges(
    tmp_path: Path,
    write_dataset: Callable[..., Path],
):
    folder = write_dataset(
        tmp_path,
        **{
            'raw/num-edge-list': ['0', '0', '0'],
            'raw/edge': [],
            'raw/edge-feat': [],
        },
    )
    out = parse(folder)
    assert out['edge'].shape == (0, 2)
    assert out['edge_attr'].shape == (0, 3)


ROW = '5,0,4,5,3,0,2,0,0'


@pytest.mark.parametrize(
    ('table', 'lines', 'match'),
    [
        ('num-node-list', ['3', 'x', '2'], 'columns of int64'),
        ('num-node-list', ['3', '', '2'], 'columns of int64'),
        ('num-node-list', ['3', '-1', '4'], 'non-negative.*-1 in line 2'),
        ('num-node-list', ['3,1', '1,1', '2,1'], r'1 columns \(got 2'),
        ('num-node-list', ['9' * 30], 'columns of int64'),
        ('num-node-list', [], 'at least one graph'),
        ('num-edge-list', ['2', '0'], r'3 rows \(got 2'),
        ('num-edge-list', ['2', '1', '1'], r'4 rows \(got 3'),
        ('node-feat', [ROW] * 5, r'6 rows \(got 5'),
        ('node-feat', [ROW] * 7, r'6 rows \(got 7'),
        ('node-feat', [ROW] * 5 + [''], 'columns of int64'),
        ('node-feat', [ROW] * 5 + ['5,0,4,5,3,0,2,0,'], 'columns of int64'),
        ('node-feat', [ROW] * 5 + ['nan' + ROW[1:]], 'columns of int64'),
        ('node-feat', [ROW] * 5 + ['5.5' + ROW[1:]], 'columns of int64'),
        ('node-feat', [ROW] * 5 + [ROW + ',0'], 'columns of int64'),
        ('node-feat', [ROW] * 5 + ['119' + ROW[1:]], '119 in line 6'),
        ('node-feat', ['-1' + ROW[1:]] + [ROW] * 5, '-1 in line 1'),
        ('edge', ['0,1', '1,3', '0,1'], '3 in line 2'),
        ('edge', ['0,1', '1,2', '0,2'], '2 in line 3'),
        ('edge', ['0,1', '1,-2', '0,1'], '-2 in line 2'),
        ('edge', ['0,1', '1,2'], r'3 rows \(got 2'),
        ('edge', ['0', '1', '0'], '2 columns'),
        ('edge-feat', ['0,0,0'] * 2, r'3 rows \(got 2'),
        ('edge-feat', ['0,0,0', '0,6,0', '0,0,0'], '6 in line 2'),
        ('graph-label', ['0' + ',' * 11] * 2, r'3 rows \(got 2'),
        ('graph-label', ['0' + ',' * 10] * 3, '12 columns'),
        ('graph-label', ['a' + ',' * 11] * 3, 'columns of float64'),
        ('graph-label', ['inf' + ',' * 11] * 3, '0, 1 or missing'),
        ('graph-label', ['2' + ',' * 11] * 3, '0, 1 or missing'),
    ],
)
def test_parse_raw_corrupt_table(
    tmp_path: Path,
    write_dataset: Callable[..., Path],
    table: str,
    lines: list[str],
    match: str,
):
    folder = write_dataset(tmp_path, **{f'raw/{table}': lines})
    with pytest.raises(CorruptDatasetError, match=match) as info:
        parse(folder)
    # Where two files disagree, both are named: either may be the cause.
    assert str(tmp_path / 'raw' / f'{table}.csv.gz') in str(info.value)
    assert str(info.value.path) in str(info.value)


def test_parse_raw_regression_labels(
    tmp_path: Path,
    write_dataset: Callable[..., Path],
):
    info = ogb_mol_info('ogbg-molesol')
    folder = write_dataset(tmp_path, **{'raw/graph-label': ['-1.5', '', '2']})
    raw = read_raw_bytes(folder / 'raw')
    y = parse_raw(raw, folder / 'raw', info)['y']
    assert y.nan_to_num(7).tolist() == [[-1.5], [7], [2]]

    write_dataset(tmp_path, **{'raw/graph-label': ['-1.5', 'inf', '2']})
    raw = read_raw_bytes(folder / 'raw')
    with pytest.raises(CorruptDatasetError, match='finite.*inf in line 2'):
        parse_raw(raw, folder / 'raw', info)


@pytest.mark.parametrize('damage', ['half', 'crc', 'text', 'empty', 'binary'])
def test_parse_raw_damaged_file(root: Path, damage: str):
    path = root / 'ogbg_moltox21' / 'raw' / 'node-feat.csv.gz'
    content = path.read_bytes()
    path.write_bytes(
        {
            'half': content[: len(content) // 2],
            'crc': content[:-8] + bytes(4) + content[-4:],
            'text': b'not a gzip file',
            'empty': b'',
            'binary': gzip.compress(bytes(range(256))),
        }[damage]
    )
    with pytest.raises(CorruptDatasetError, match='node-feat.csv.gz'):
        parse(path.parents[1])


def test_read_raw_bytes_missing_file(root: Path):
    folder = root / 'ogbg_moltox21'
    (folder / 'raw' / 'edge.csv.gz').unlink()
    with pytest.raises(FileNotFoundError, match=r"missing: \['edge.csv.gz'"):
        parse(folder)


def test_fingerprint_changes_with_any_byte(root: Path):
    raw = read_raw_bytes(root / 'ogbg_moltox21' / 'raw')
    prints = {fingerprint(raw)}
    for name, content in raw.items():
        altered = bytes([content[0] ^ 1]) + content[1:]
        prints.add(fingerprint({**raw, name: altered}))
    assert len(prints) == 7
    assert fingerprint(dict(raw)) == fingerprint(raw)


def test_read_split(root: Path):
    out = read_split(root / 'ogbg_moltox21' / 'split' / 'scaffold', 3)
    assert list(out) == ['train', 'valid', 'test']
    assert [index.tolist() for index in out.values()] == [[0], [2], [1]]


@pytest.mark.parametrize(
    ('part', 'lines', 'match'),
    [
        ('train', ['3'], 'valid.csv.gz|from 0 to 2.*3 in line 1'),
        ('train', ['-1'], 'from 0 to 2'),
        ('valid', ['0'], "ids of the part 'train' too"),
        ('valid', ['2', '2'], 'unique'),
        ('test', [], 'graph 1 is in none'),
        ('test', ['one'], 'columns of int64'),
    ],
)
def test_read_split_corrupt(
    tmp_path: Path,
    write_dataset: Callable[..., Path],
    part: str,
    lines: list[str],
    match: str,
):
    write_dataset(tmp_path, **{f'split/scaffold/{part}': lines})
    with pytest.raises(CorruptDatasetError, match=match):
        read_split(tmp_path / 'split' / 'scaffold', 3)


def test_read_split_missing(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match='train.csv.gz'):
        read_split(tmp_path, 3)


def test_corrupt_dataset_error_can_be_pickled():
    error = CorruptDatasetError(Path('raw.csv'), 'it is empty')
    out = pickle.loads(pickle.dumps(error))
    assert str(out) == str(error)
    assert out.path == error.path
