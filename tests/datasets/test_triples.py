from pathlib import Path

import pytest
import torch

from gmoe.datasets import TripleDataset, WebNLGDataset, read_triples
from tests.datasets.webnlg_files import AARHUS, BEAN, write_release


def test_same_graphs_as_the_dataset(tmp_path: Path):
    path = tmp_path / 'triples.txt'
    path.write_text('\n'.join(['', *BEAN, '', '', *AARHUS, '']))
    graphs = read_triples(path)
    assert [len(graph) for graph in graphs] == [3, 1]
    features = WebNLGDataset.make_text_features(dim=16, cache_dir=tmp_path)
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
