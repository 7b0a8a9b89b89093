"""Runs on links, on a tiny graph in OGB's layout."""

from dataclasses import replace

import pytest
import torch

from benchmarks.reproduce.job import Job
from benchmarks.reproduce.kinds import links
from benchmarks.reproduce.run import Run
from benchmarks.reproduce.tables import load_table
from gmoe.training import LinkPredictor
from tests.benchmarks.reproduce.command import do_here, read
from tests.datasets.links import small


def cells():
    """Those of ogbl-ddi, made small."""
    found = []
    for cell in load_table('table5').select(None, ['ogbl-ddi']):
        settings = {**cell.settings, 'epochs': 3}
        settings['model'] = {**settings['model'], 'hidden_channels': 4}
        found.append(replace(cell, settings=settings))
    return found


def test_results(tmp_path):
    small.write_ogb(tmp_path)
    do_here(tmp_path, tmp_path, cells(), 1, 'table5')
    records = read(tmp_path, 'table5')
    assert [r['row'] for r in records] == ['gcn', 'gmoe-gcn']
    for record in records:
        assert record['metric'] == 'hits@20'
        assert record['test'] == record['valid'] == 1  # Few other pairs.
        assert len(record['curve']['valid']) == 3
        assert 'test' not in record['curve']
        assert 0 <= record['best_epoch'] < 3
    usage = [record['expert_usage'] for record in records]
    assert usage[0] is None
    assert [len(layer) for layer in usage[1]] == [4, 4]


@pytest.mark.parametrize('number', range(4))
def test_settings_are_accepted(number, tmp_path):
    cell = load_table('table5').cells[number]
    small.write_ogb(tmp_path, cell.dataset)
    job = Job(Run(cell, 0), tmp_path, tmp_path / 'runs', '')
    data = links.make_data(job)
    model = links.make_model(job, data)
    assert isinstance(model, LinkPredictor)
    assert data.batch_size == 65536
    width = 256 if cell.row == 'gcn' else 181
    assert model.gnn.head.channels == width
    is_ddi = cell.dataset == 'ogbl-ddi'
    assert len(model.gnn.encoder.convs) == (2 if is_ddi else 3)
    assert (model.gnn.embedding is not None) == is_ddi
    assert cell.settings['epochs'] == (200 if is_ddi else 20)
    assert cell.settings['gradient_clip_val'] == 0.5


def test_quick_ones_are_small(tmp_path):
    small.write_ogb(tmp_path)
    cell = load_table('table5').quick().cells[0]
    job = Job(Run(cell, 0), tmp_path, tmp_path / 'runs', '')
    data = links.make_data(job)
    model = links.make_model(job, data)
    assert model.gnn.embedding.weight.shape == torch.Size([12, 8])
    assert cell.settings['epochs'] == 1
