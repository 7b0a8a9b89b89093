"""Co-purchase and co-author graphs, beside PyG's own reader."""

import numpy as np
import pytest
import scipy.sparse
import torch
from torch_geometric.io import read_npz

from gmoe.datasets import CorruptDatasetError
from gmoe.datasets.nodes.check import one_edge_each
from gmoe.datasets.nodes.citation import read_citation
from tests.datasets.nodes import small


def write(root, index=None, **changes):
    """As Shchur et al. write them; returns the file."""
    data = small.make_graph()
    x = scipy.sparse.csr_matrix(2 * data.x.numpy())
    size, ends = small.NUM_NODES, data.edge_index.numpy()
    ends = np.concatenate([ends, [[3], [3]]], axis=1)  # To itself.
    values = np.ones(ends.shape[1], dtype=np.float32)
    adj = scipy.sparse.csr_matrix((values, tuple(ends)), (size, size))
    arrays = {
        f'{kind}_{part}': np.array(getattr(value, part))
        for kind, value in (('attr', x), ('adj', adj))
        for part in ('data', 'indices', 'indptr', 'shape')
    }
    path = root / 'amazon/Photo/raw/amazon_electronics_photo.npz'
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{**arrays, 'labels': data.y.numpy(), **changes})
    split = root / 'amazon/splits_tunedGNN/amazon-photo_split.npz'
    if index is not None:
        split.parent.mkdir(exist_ok=True)
        np.savez(split, train=index, valid=[20, 21], test=[25])
    return path


def test_graph_is_that_of_pyg(tmp_path):
    expected = read_npz(write(tmp_path))
    data = read_citation(tmp_path / 'amazon' / 'Photo', 'Photo')
    assert 'train_mask' not in data
    one_edge_each(data, undirected=True)
    assert torch.equal(data.x, expected.x)
    assert data.x.max() == 1
    assert torch.equal(data.edge_index, expected.edge_index)
    assert torch.equal(data.y, expected.y)


def test_real_graph_is_that_of_pyg(data_root):
    folder = data_root / 'amazon' / 'Photo'
    expected = read_npz(folder / 'raw' / 'amazon_electronics_photo.npz')
    data = read_citation(folder, 'Photo')
    one_edge_each(data, undirected=True)
    assert torch.equal(data.x, expected.x)
    assert torch.equal(data.edge_index, expected.edge_index)
    masks = [data[f'{part}_mask'] for part in ('train', 'val', 'test')]
    assert torch.equal(sum(m.int() for m in masks), torch.ones(7650, 1).int())
    assert [int(mask.sum()) for mask in masks] == [4590, 1530, 1530]


def test_fixed_split(tmp_path):
    write(tmp_path, index=[0, 3])
    data = read_citation(tmp_path / 'amazon' / 'Photo', 'Photo')
    assert data.train_mask.nonzero()[:, 0].tolist() == [0, 3]
    assert data.val_mask.nonzero()[:, 0].tolist() == [20, 21]
    write(tmp_path, index=[0, small.NUM_NODES])
    with pytest.raises(CorruptDatasetError, match='ids from 0 to 29'):
        read_citation(tmp_path / 'amazon' / 'Photo', 'Photo')


def test_rows_that_do_not_fit(tmp_path):
    write(tmp_path, labels=np.zeros(7, dtype=int))
    with pytest.raises(CorruptDatasetError, match='a label for each node'):
        read_citation(tmp_path / 'amazon' / 'Photo', 'Photo')
