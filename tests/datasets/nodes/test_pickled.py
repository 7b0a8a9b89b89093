"""Pickles are read, and never run."""

import os
import pickle
import struct

import numpy as np
import pytest

from gmoe.datasets import CorruptDatasetError
from gmoe.datasets.nodes.pickled import (
    read_pickled_matrix,
    read_pickled_neighbours,
)
from tests.datasets.nodes import small


def test_matrices_are_those_of_pickle(data_root):
    folder = data_root / 'planetoid' / 'Cora' / 'raw'
    for part in ('tx', 'ty'):
        path = folder / f'ind.cora.{part}'
        with path.open('rb') as file:
            expected = pickle.load(file, encoding='latin1')
        if part == 'tx':
            expected = expected.toarray()
        np.testing.assert_array_equal(read_pickled_matrix(path), expected)


def test_neighbours_are_those_of_pickle(data_root):
    path = data_root / 'planetoid' / 'Cora' / 'raw' / 'ind.cora.graph'
    with path.open('rb') as file:
        lists = pickle.load(file, encoding='latin1')
    expected = [(u, v) for u, near in lists.items() for v in near]
    ends = read_pickled_neighbours(path, 2708)
    assert list(map(tuple, ends.T)) == expected
    with pytest.raises(CorruptDatasetError, match='from 0 to 2706'):
        read_pickled_neighbours(path, 2707)


class Runs:
    def __reduce__(self):
        return os.mkdir, ('made',)


def as_key(key: bytes) -> bytes:
    """A table with a key, whose hash is looked up."""
    return b'\x80\x02}' + key + b']s.'


#: Each tuple is twice in the next one; and tuples in tuples.
DOUBLED = b')' + b'q\x00h\x00\x86' * 100
NESTED = b')' + b'\x85' * 100_000


#: A list at a place that would take gigabytes to reach.
FAR = b'\x80\x02]r' + struct.pack('<I', 2**31) + b'.'


@pytest.mark.parametrize(
    'content',
    [
        small.pickled(Runs()),
        b"cos\nmkdir\n(S'made'\ntR.",
        b"c__builtin__\neval\n(S'open(chr(120),chr(119))'\ntR.",
        pickle.dumps(Runs(), protocol=4),
        FAR,
        b'',
        b'\x80\x02]',
        b'\x80\x02K\x01.',
        small.pickled([1, 2]),
        small.pickled({0: [1], 1: 'a'}),
        small.pickled({0: [1], 1: [True]}),
        small.pickled({0: [1], 'a': [0]}),
        small.pickled({0: [[0]]}),
        small.pickled(np.zeros((2, 2), dtype=object)),
        as_key(DOUBLED),
        as_key(NESTED),
        b'\x80\x02' + DOUBLED + b'.',
        b'\x80\x02' + b']' + b']a' * 50_000 + b'.',
    ],
)
@pytest.mark.parametrize(
    'read',
    [read_pickled_matrix, lambda path: read_pickled_neighbours(path, 2)],
    ids=['matrix', 'neighbours'],
)
def test_others_are_refused(content, read, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / 'ind.cora.x'
    path.write_bytes(content)
    with pytest.raises(CorruptDatasetError):
        read(path)
    assert os.listdir(tmp_path) == ['ind.cora.x']


def test_one_list_for_all_nodes_is_not_copied(tmp_path):
    near = [0] * 1000
    path = tmp_path / 'ind.cora.graph'
    path.write_bytes(small.pickled(dict.fromkeys(range(12), near)))
    with pytest.raises(CorruptDatasetError, match='lists of at most'):
        read_pickled_neighbours(path, 12)


def test_cut_off_anywhere(data_root, tmp_path):
    whole = (data_root / 'planetoid/Cora/raw/ind.cora.y').read_bytes()
    path = tmp_path / 'y'
    for size in range(0, len(whole), 97):
        path.write_bytes(whole[:size])
        with pytest.raises(CorruptDatasetError):
            read_pickled_matrix(path)
