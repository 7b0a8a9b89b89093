"""Citation graphs, beside PyG's own reader."""

import shutil

import numpy as np
import pytest
import torch
from torch_geometric.io import read_planetoid_data
from torch_geometric.utils import coalesce

from gmoe.datasets import CorruptDatasetError, load_nodes
from gmoe.datasets.nodes.planetoid import read_planetoid


@pytest.mark.parametrize('name', ['Cora', 'CiteSeer'])
def test_graph_is_that_of_pyg(name, data_root):
    folder = data_root / 'planetoid' / name
    expected = read_planetoid_data(str(folder / 'raw'), name.lower())
    data = load_nodes(name, data_root).data
    assert torch.equal(data.edge_index, coalesce(expected.edge_index))
    for key in ('x', 'y', 'train_mask', 'val_mask', 'test_mask'):
        assert torch.equal(data[key], expected[key]), key


def test_splits_of_geom_gcn(data_root):
    folder = data_root / 'planetoid' / 'Cora'
    data = load_nodes('Cora', data_root, split=3).data
    file = folder / 'geom-gcn' / 'raw' / 'cora_split_0.6_0.2_3.npz'
    with np.load(file) as masks:
        for key in ('train_mask', 'val_mask', 'test_mask'):
            expected = torch.from_numpy(masks[key]).bool()
            assert torch.equal(data[key], expected)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('1708 x', 'ids of nodes'),
        ('-1', 'ids of nodes'),
        ('1708 1709', '1000 different ids'),
        ('\n'.join(map(str, [*range(1708, 2707), 99999999])), 'different ids'),
        ('\n'.join(map(str, [*range(1708, 2707), 1708])), 'different ids'),
    ],
    ids=['word', 'negative', 'few', 'far', 'twice'],
)
def test_other_test_nodes_are_refused(text, message, data_root, tmp_path):
    shutil.copytree(data_root / 'planetoid/Cora/raw', tmp_path / 'raw')
    (tmp_path / 'raw' / 'ind.cora.test.index').write_text(text)
    with pytest.raises(CorruptDatasetError, match=message):
        read_planetoid(tmp_path, 'Cora', public=True)


def test_missing_and_mixed_files(data_root, tmp_path):
    raw = tmp_path / 'raw'
    shutil.copytree(data_root / 'planetoid/Cora/raw', raw)
    shutil.copy(raw / 'ind.cora.tx', raw / 'ind.cora.ty')
    with pytest.raises(CorruptDatasetError, match='a column for each class'):
        read_planetoid(tmp_path, 'Cora', public=True)
    (raw / 'ind.cora.ty').unlink()
    with pytest.raises(FileNotFoundError, match='ind.cora.ty'):
        read_planetoid(tmp_path, 'Cora', public=True)
