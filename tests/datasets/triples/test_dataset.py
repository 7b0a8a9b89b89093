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


GRAPHS = [[('A', 'b', 'C')], [('D', 'e', 'F')], [('A', 'b', 'F')]]


def features(folder: Path):
    return TextFeatures(dim=8, cache_dir=folder)


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
