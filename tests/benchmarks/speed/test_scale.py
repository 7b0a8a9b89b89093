"""An epoch on a small graph, and the table of large ones."""

import json

import pytest
import torch

from benchmarks.speed import scale_table
from benchmarks.speed.scale import Communities, main


def test_main(tmp_path):
    path = tmp_path / 'scale.json'
    main([2000], part_size=500, channels=8, threads=1, json=path)
    record = json.loads(path.read_text())
    (row,) = record['rows']
    assert (row['num_nodes'], row['num_edges']) == (2000, 20_000)
    assert row['num_parts'] == 4
    assert 0 < row['share_between_parts'] < 0.75  # 0.75 is that of chance.
    assert row['epoch_s'] >= 0 < row['peak_gb']
    text = scale_table.content({**record, 'rows': [row, row]})
    assert '| 2,000 | 20,000 | 4 |' in text
    assert 'with 1 thread of an' in text
    with pytest.raises(SystemExit, match="'num_nodes' must be at least 1"):
        main(0)


def test_communities():
    data = Communities(3000).load().data
    assert data.is_undirected()
    same = data.y[data.edge_index[0]] == data.y[data.edge_index[1]]
    assert 0.8 < same.float().mean() < 0.9
    masks = torch.stack([data.train_mask, data.val_mask, data.test_mask])
    assert (masks.sum(0) == 1).all()


def test_nothing_was_measured(monkeypatch):
    monkeypatch.setattr(scale_table, 'read_result', lambda name: None)
    with pytest.raises(SystemExit, match='first run'):
        scale_table.main()
