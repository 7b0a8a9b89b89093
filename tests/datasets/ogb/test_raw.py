import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from gmoe.datasets import CorruptDatasetError, Limits
from gmoe.datasets.ogb.info import ogb_mol_info
from gmoe.datasets.ogb.raw import (
    fingerprint,
    parse_raw,
    read_raw_bytes,
    read_split,
)
from tests.datasets.raw_fuzz import fuzz

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
        ('num-node-list', ['3', '', '2'], 'int64.*empty cell in line 2'),
        ('num-node-list', ['', '3', '2'], 'int64.*empty cell in line 1'),
        ('num-node-list', ['3', 'True', '2'], 'columns of int64'),
        ('num-node-list', ['3', '1\r', '2\r3'], 'columns of int64'),
        ('num-node-list', ['3', '-1', '4'], 'non-negative.*-1 in line 2'),
        ('num-node-list', ['3,1', '1,1', '2,1'], r'1 columns, got 2'),
        ('num-node-list', ['9' * 30], 'columns of int64'),
        ('num-node-list', [], 'at least one graph'),
        ('num-edge-list', ['2', '0'], r'3 rows, got 2'),
        ('num-edge-list', ['2', '1', '1'], r'4 rows, got 3'),
        ('node-feat', [ROW] * 5, r'6 rows, got 5'),
        ('node-feat', [ROW] * 7, r'6 rows, got 7'),
        ('node-feat', [ROW] * 5 + [''], r'6 rows, got 5'),
        ('node-feat', [''] + [ROW] * 5, r'9 columns, got 1 in line 1'),
        ('node-feat', [ROW] * 5 + ['5,0,4,5,3,0,2,0,'], 'columns of int64'),
        ('node-feat', [ROW] * 5 + ['nan' + ROW[1:]], 'columns of int64'),
        ('node-feat', [ROW] * 5 + ['5.5' + ROW[1:]], 'columns of int64'),
        (
            'node-feat',
            [ROW] * 5 + [ROW + ',0'],
            r'9 columns, got 10 in line 6',
        ),
        ('node-feat', [ROW] * 5 + ['119' + ROW[1:]], '119 in line 6'),
        ('node-feat', ['-1' + ROW[1:]] + [ROW] * 5, '-1 in line 1'),
        ('edge', ['0,1', '1,3', '0,1'], '3 in line 2'),
        ('edge', ['0,1', '1,2', '0,2'], '2 in line 3'),
        ('edge', ['0,1', '1,-2', '0,1'], '-2 in line 2'),
        ('edge', ['0,1', '1,2'], r'3 rows, got 2'),
        ('edge', ['0', '1', '0'], '2 columns'),
        ('edge-feat', ['0,0,0'] * 2, r'3 rows, got 2'),
        ('edge-feat', ['0,0,0', '0,6,0', '0,0,0'], '6 in line 2'),
        ('graph-label', ['0' + ',' * 11] * 2, r'3 rows, got 2'),
        ('graph-label', ['0' + ',' * 10] * 3, '12 columns'),
        ('graph-label', ['0' + ',' * 11, '0', '0' + ',' * 22], 'in line 2'),
        ('graph-label', ['0' + ',' * 11, '', '0' + ',' * 11], 'in line 2'),
        ('graph-label', ['True' + ',' * 11] * 3, 'columns of float64'),
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

    # One that is missing is a blank line, wherever it is.
    for lines, expected in (
        (['', '-1.5', '2'], [[7], [-1.5], [2]]),
        (['', '2', ''], [[7], [2], [7]]),
        (['', '2', '', '', ''], [[7], [2], [7]]),
        (['1', '2', '3', '', ''], [[1], [2], [3]]),
        (['', '', ''], [[7], [7], [7]]),
        (['\ufeff', 'NA', '1e-3'], [[7], [7], [torch.tensor(1e-3).item()]]),
    ):
        write_dataset(tmp_path, **{'raw/graph-label': lines})
        raw = read_raw_bytes(folder / 'raw')
        y = parse_raw(raw, folder / 'raw', info)['y']
        assert y.nan_to_num(7).tolist() == expected, lines
    for lines in ['', ''], ['1', '2'], ['', '', '', '1'], ['', '', ' ', '1']:
        write_dataset(tmp_path, **{'raw/graph-label': lines})
        raw = read_raw_bytes(folder / 'raw')
        with pytest.raises(CorruptDatasetError, match='graph-label'):
            parse_raw(raw, folder / 'raw', info)

    write_dataset(tmp_path, **{'raw/graph-label': ['-1.5', 'inf', '2']})
    raw = read_raw_bytes(folder / 'raw')
    with pytest.raises(CorruptDatasetError, match='finite.*inf in line 2'):
        parse_raw(raw, folder / 'raw', info)


@pytest.mark.parametrize('kind', ['node', 'edge'])
@pytest.mark.parametrize('count', [2**31, 2**62, 2**63 - 1])
def test_counts_whose_sum_wraps(
    tmp_path: Path,
    write_dataset: Callable[..., Path],
    kind: str,
    count: int,
):
    # Four times 2^62 is nothing, in 64 bits.
    counts = {
        'raw/num-node-list': ['1'] * 5 + ['1'],
        'raw/num-edge-list': ['3'] + ['0'] * 5,
        'raw/graph-label': ['0' + ',' * 11] * 6,
        'raw/edge': ['0,0'] * 3,
    }
    for i in range(1, 5):
        counts[f'raw/num-{kind}-list'][i] = str(count)
    folder = write_dataset(tmp_path, **counts)
    match = f'num-{kind}-list.*at most 2147483647, got {count} in line 2'
    with pytest.raises(CorruptDatasetError, match=match):
        parse(folder)


@pytest.mark.parametrize('end', ['', '\n', '\r\n', '\n\n \n'])
@pytest.mark.parametrize('mark', ['', '\ufeff'])
def test_byte_order_mark_and_blank_last_lines(root: Path, mark, end):
    folder = root / 'ogbg_moltox21'
    expected = parse(folder)
    for path in (folder / 'raw').iterdir():
        text = gzip.decompress(path.read_bytes()).decode()
        path.write_bytes(gzip.compress((mark + text + end).encode()))
    out = parse(folder)
    for key, value in expected.items():
        assert torch.equal(out[key].nan_to_num(7), value.nan_to_num(7))


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
    with pytest.raises(FileNotFoundError, match=r"all but \['edge.csv.gz'"):
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
        ('valid', ['0'], "got ids of 'train' too"),
        ('valid', ['2', '2'], 'unique'),
        ('test', [], 'got graph 1 in none'),
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


def test_limits(root: Path):
    folder = root / 'ogbg_moltox21'
    raw = read_raw_bytes(folder / 'raw')
    with pytest.raises(CorruptDatasetError, match='hold at most 100 bytes'):
        parse_raw(raw, folder / 'raw', INFO, Limits(table=100))
    with pytest.raises(CorruptDatasetError, match='be of at most 10 bytes'):
        read_raw_bytes(folder / 'raw', Limits(table=10))
    with pytest.raises(CorruptDatasetError, match='be of at most 10 bytes'):
        read_split(folder / 'split' / 'scaffold', 3, Limits(table=10))
    with pytest.raises(ValueError, match="'ratio' must be an integer.*0"):
        Limits(ratio=0)

    # 64 MB in 64 KB: OGB's files are up to 51 times smaller than their text.
    path = folder / 'raw' / 'edge.csv.gz'
    path.write_bytes(gzip.compress(b'0,1\n' * 2**24, 9))
    with pytest.raises(CorruptDatasetError, match='hold at most 16777216 b'):
        parse(folder)


@pytest.mark.parametrize('regression', [False, True])
def test_fuzz(tmp_path: Path, regression: bool):
    """See :mod:`tests.datasets.raw_fuzz` for many more of them."""
    counts = fuzz(tmp_path, 300, regression=regression)
    assert counts['accepted'] > 20
    assert counts['refused'] > 150
