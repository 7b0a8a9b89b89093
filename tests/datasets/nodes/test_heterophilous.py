"""Heterophilous graphs, beside PyG's own loader."""

import numpy as np
import pytest
import torch
from torch_geometric.datasets import HeterophilousGraphDataset

from gmoe.datasets import CorruptDatasetError, load_nodes
from gmoe.datasets.nodes.heterophilous import read_heterophilous
from tests.datasets.nodes import small


def test_graph_is_that_of_pyg(data_root, tmp_path):
    raw = tmp_path / 'minesweeper' / 'raw'
    raw.mkdir(parents=True)
    file = 'heterophilous/minesweeper/raw/minesweeper.npz'
    (raw / 'minesweeper.npz').symlink_to(data_root / file)
    expected = HeterophilousGraphDataset(tmp_path, 'Minesweeper')[0]
    for split in (0, 7):
        data = load_nodes('minesweeper', data_root, split=split).data
        assert torch.equal(data.x, expected.x)
        assert torch.equal(data.edge_index, expected.edge_index)
        assert torch.equal(data.y.view(-1), expected.y.float())
        for key in ('train_mask', 'val_mask', 'test_mask'):
            assert torch.equal(data[key], expected[key][:, split])


def test_small_graph(tmp_path):
    small.write_heterophilous(tmp_path)
    data = read_heterophilous(tmp_path / 'heterophilous' / 'actor', 'actor')
    expected = small.make_graph(num_splits=4)
    for key, value in expected:
        assert torch.equal(data[key], value), key


@pytest.mark.parametrize(
    'changes',
    [
        {'node_labels': np.zeros(7, dtype=int)},
        {'node_labels': np.zeros(small.NUM_NODES)},
        {'edges': np.zeros((4, 3), dtype=int)},
        {'node_features': np.zeros(small.NUM_NODES)},
        {'train_masks': np.zeros((4, small.NUM_NODES))},
        {'val_masks': np.zeros((2, small.NUM_NODES), dtype=bool)},
        {'test_masks': None},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_other_files_are_refused(changes, tmp_path):
    small.write_heterophilous(tmp_path, **changes)
    with pytest.raises(CorruptDatasetError, match='it must hold'):
        read_heterophilous(tmp_path / 'heterophilous' / 'actor', 'actor')
