"""Compressed tables of numbers; those of OGB are tested in ogb/test_raw.py."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from gmoe.datasets import CorruptDatasetError, Limits
from gmoe.datasets.table import parse_csv, read_bytes

PATH = Path('table.csv.gz')


def parse(text: bytes, columns: int = 2, **kwargs) -> np.ndarray:
    return parse_csv(gzip.compress(text), PATH, columns, **kwargs)


def test_numbers():
    assert parse(b'1,2\n3,4\n').tolist() == [[1, 2], [3, 4]]
    assert parse(b'\xef\xbb\xbf1,-2\r\n\n\n').tolist() == [[1, -2]]
    assert parse(b'').shape == (0, 2)
    labels = parse(b'1.5,\nnan,2\n', rows=2)
    assert np.array_equal(labels, [[1.5, np.nan], [np.nan, 2]], equal_nan=True)
    # A blank line is a missing label where there is one column.
    assert np.isnan(parse(b'1\n\n', columns=1, rows=2)[1, 0])


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        (b'1,2\n3\n', '2 columns, got 1 in line 2'),
        (b'1,x\n', "got b'x' in it"),
        (b'1,\n', 'got an empty cell in line 1'),
        (b'1,1.5\n', 'columns of int64'),
    ],
)
def test_refused(text, words):
    with pytest.raises(CorruptDatasetError, match=words):
        parse(text)


def test_sizes(tmp_path):
    with pytest.raises(CorruptDatasetError, match='at most 4 bytes'):
        parse(b'1,2\n3,4\n', limits=Limits(table=4))
    path = tmp_path / 'a'
    path.write_bytes(b'12345')
    assert read_bytes(path) == b'12345'
    with pytest.raises(CorruptDatasetError, match='at most 4 bytes'):
        read_bytes(path, Limits(table=4))
    with pytest.raises(CorruptDatasetError, match='a complete gzip file'):
        parse_csv(b'12345', PATH, 1)
