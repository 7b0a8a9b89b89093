import unicodedata
from pathlib import Path

import pytest
import torch

from gmoe.datasets import (
    TextFeatures,
    TripleDataset,
    WebNLGDataset,
    read_triples,
)
from tests.datasets.webnlg_files import AARHUS, BEAN, write_release


def test_same_graphs_as_the_dataset(tmp_path: Path):
    path = tmp_path / 'triples.txt'
    path.write_text('\n'.join(['', *BEAN, '', '', *AARHUS, '']))
    graphs = read_triples(path)
    assert [len(graph) for graph in graphs] == [3, 1]
    features = TextFeatures(dim=16, cache_dir=tmp_path)
    dataset = TripleDataset(graphs, features)
    release = WebNLGDataset(
        write_release(tmp_path), dim=16, codes=True, log=False
    )
    batch, expected = dataset.take([0, 1]), release.take([1, 0])
    for tables in ('node_table', 'property_table'):
        column = 'x' if tables == 'node_table' else 'edge_attr'
        rows = getattr(dataset, tables)[batch[column][:, 0]]
        own = getattr(release, tables)[expected[column][:, 0]]
        assert torch.equal(rows, own)
        assert torch.equal(batch[column][:, 1:], expected[column][:, 1:])
    for key in ('edge_index', 'batch', 'root_mask'):
        assert torch.equal(batch[key], expected[key])
    assert batch.y.tolist() == [-1, -1]


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


GRAPHS = [[('A', 'b', 'C')], [('D', 'e', 'F')], [('A', 'b', 'F')]]


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


def test_categories(tmp_path: Path):
    dataset = TripleDataset(GRAPHS, features(tmp_path))
    assert dataset.categories == ()
    assert dataset.take([0, 1, 2]).y.tolist() == [-1] * 3
    labels = ['film', None, 'Caf\u00e9']
    dataset = TripleDataset(GRAPHS, features(tmp_path), labels=labels)
    assert dataset.categories == ('Caf\u00e9', 'film')
    assert dataset.num_classes == 2
    assert dataset.take([0, 1, 2]).y.tolist() == [1, -1, 0]
    names = ['song', 'film', 'Cafe\u0301']
    dataset = TripleDataset(GRAPHS, features(tmp_path), names, labels)
    assert dataset.take([0, 1, 2]).y.tolist() == [1, -1, 2]


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        ({'categories': ['a', 'a']}, "'categories' must be distinct"),
        ({'categories': 'Airport'}, "'categories' must be distinct"),
        ({'categories': ['a', 3]}, 'a category must be a text.*3'),
        ({'labels': ['a', 'b']}, "'labels' must be.*each of the 3 graphs"),
        (
            {'categories': ['a'], 'labels': ['a', 'b', 'a']},
            "'labels' must be of.*'b' for graph 1",
        ),
        ({'graphs': []}, "'graphs' must hold at least one"),
        ({'graphs': [[], GRAPHS[0]]}, "graph 0: 'triples' must hold"),
        # One level too few, with names of three letters, and one too many.
        ({'graphs': [('abc', 'def', 'ghi')]}, 'graph 0: triple 0 must be'),
        ({'graphs': [[['A | b | C'] * 3]]}, 'graph 0: .*triple 0'),
    ],
)
def test_refused_graphs(tmp_path: Path, arguments, words: str):
    arguments = {'graphs': GRAPHS, **arguments}
    with pytest.raises(ValueError, match=words):
        TripleDataset(features=features(tmp_path), **arguments)
