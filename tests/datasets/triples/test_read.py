"""Files of triples: what is read, and what is refused by its line."""

import unicodedata
from pathlib import Path

import pytest

from gmoe.datasets import (
    TextFeatures,
    TripleDataset,
    read_triples,
)
from tests.datasets.webnlg_files import AARHUS, BEAN


def test_refused(tmp_path: Path):
    path = tmp_path / 'triples.txt'
    path.write_text('a | b | c\n\na | b\n')
    with pytest.raises(ValueError, match=r"triples.txt', line 3: .*'a \| b'"):
        read_triples(path)
    path.write_text('\n\n')
    with pytest.raises(ValueError, match='at least one triple'):
        read_triples(path)
    with pytest.raises(FileNotFoundError):
        read_triples(tmp_path / 'none')


def features(folder: Path):
    return TextFeatures(dim=8, cache_dir=folder)


@pytest.mark.parametrize('end', ['\n', '\r\n', '\r'])
def test_byte_order_mark(tmp_path: Path, end: str):
    path = tmp_path / 'triples.txt'
    plain = end.join([*BEAN, '', *AARHUS])
    path.write_bytes(plain.encode())
    expected = read_triples(path)
    assert [len(graph) for graph in expected] == [3, 1]
    # One that was put together of two with a mark has one in the middle.
    for text in (plain, plain.replace('Apollo_12 |', '\ufeffApollo_12 |')):
        path.write_bytes(text.encode('utf-8-sig'))
        assert read_triples(path) == expected
    path.write_bytes(f'{BEAN[0]}{end}\ufeff{end}{BEAN[1]}'.encode())
    assert [len(graph) for graph in read_triples(path)] == [1, 1]


def test_other_line_ends_are_part_of_a_name(tmp_path: Path):
    path = tmp_path / 'triples.txt'
    for mark in '\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e':
        path.write_bytes(f'A | b | C{mark}D\nA | e | F\n'.encode())
        assert read_triples(path) == [
            [('A', 'b', f'C{mark}D'), ('A', 'e', 'F')]
        ]
        graph = TripleDataset(read_triples(path), features(tmp_path)).graphs[0]
        assert graph.node_text == ['A', 'C D', 'F']


def test_composed_and_decomposed_names_are_one(tmp_path: Path):
    lines = 'Beyonc\u00e9 | genre | R&B', 'Jay-Z | spouse | Beyonc\u00e9'
    path = tmp_path / 'triples.txt'
    mixed = f'{lines[0]}\n{unicodedata.normalize("NFD", lines[1])}\n'
    path.write_bytes(mixed.encode())
    (read,) = read_triples(path)
    assert read[0][0] == read[1][2]
    decomposed = [
        tuple(unicodedata.normalize('NFD', part) for part in triple)
        for triple in read[1:]
    ]
    for triples in (read, [read[0], *decomposed]):
        (graph,) = TripleDataset([triples], features(tmp_path)).graphs
        assert graph.node_text == ['Beyonc\u00e9', 'R&B', 'Jay-Z']


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ('A | b | \u00c9\n'.encode('utf-16'), 'UTF-8.*UTF-16'),
        ('A | b | C\n'.encode('utf-16-le'), 'UTF-8.*UTF-16'),
        ('A | b | C\nA | b | \u00c9\n'.encode('latin-1'), '0xc9 in line 2'),
        (b'a' * 10**7, 'line 1: a triple must be of the form'),
        (b'A | b | C\n' + b'a | b' * 10**6, 'line 2: .*form'),
    ],
)
def test_no_triples_in_utf_8(tmp_path: Path, content: bytes, words: str):
    path = tmp_path / 'triples.txt'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"'{path}'.*{words}") as error:
        read_triples(path)
    assert len(str(error.value)) < 300


def test_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(FileNotFoundError, match=r"'path' must be.*none'"):
        read_triples(tmp_path / 'none')
    with pytest.raises(OSError, match=r"'path' must be a file that can be"):
        read_triples(tmp_path)
    monkeypatch.setattr('gmoe.datasets.triples.read.MAX_FILE_SIZE', 9)
    (tmp_path / 'long').write_text('a | b | cd')
    with pytest.raises(ValueError, match=r"long' must be of at most 9 bytes"):
        read_triples(tmp_path / 'long')
