"""Runs on the nodes of a small graph."""

from dataclasses import replace

import pytest
import torch

from benchmarks.reproduce.job import Job
from benchmarks.reproduce.kinds import nodes
from benchmarks.reproduce.run import Run
from benchmarks.reproduce.tables import load_table
from gmoe.training import NodePredictor
from tests.datasets.nodes import small


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp('data')
    small.write_heterophilous(folder, 'actor')
    return folder


def make_job(root, runs, row, seed=0, **settings):
    table = load_table('heterogeneity').quick()
    (cell,) = table.select([f'actor/{row}'], None)
    cell = replace(cell, settings={**cell.settings, **settings})
    return Job(Run(cell, seed), root, runs, 'here')


def test_result(root, tmp_path, monkeypatch):
    models = []
    make_model = nodes.make_model
    monkeypatch.setattr(
        nodes,
        'make_model',
        lambda *a: models.append(make_model(*a)) or models[0],
    )
    job = make_job(root, tmp_path, 'mixture-mixed', 1, epochs=4, patience=3)
    result = nodes.train(job)
    data = nodes.make_data(job)
    assert data.split == 1
    data.setup()
    # The test score is that of the weights that are best on validation.
    (batch,) = [*data.test_dataloader()]
    with torch.no_grad():
        out, _ = models[0].eval()(data.on_after_batch_transfer(batch, 0))
    score = (out.argmax(dim=1) == batch.y).float().mean()
    assert result['test'] == pytest.approx(float(score), abs=1e-6)
    valid = result['curve']['valid']
    assert result['valid'] == max(valid)
    assert valid.index(max(valid)) == result['best_epoch']
    assert 'test' not in result['curve']
    assert result['split'] == {k: len(v) for k, v in data.splits.items()}
    assert 0 <= result['homophily'] <= 1
    assert result['flops_per_graph'] > 0
    assert len(result['expert_usage']) == 2
    assert result['measured']['seconds'] > 0


def test_ends_early(root, tmp_path):
    job = make_job(root, tmp_path, 'sage', epochs=200, patience=2)
    result = nodes.train(job)
    epochs = len(result['curve']['valid'])
    assert epochs == result['best_epoch'] + 3 < 200
    assert result['expert_usage'] is None


def test_homophily_of_labels():
    edges = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
    assert nodes._homophily(edges, torch.tensor([0, 0, 1])) == 0.5
    labels = torch.tensor([[0.0], [0.0], [1.0]])
    assert nodes._homophily(edges, labels) == 0.5
    assert nodes._homophily(edges, labels.repeat(1, 2)) is None


def test_networks_of_all_cells():
    whole = 0
    for name in ('heterogeneity', 'table4'):
        for cell in load_table(name).cells:
            model = cell.settings['model']
            network = NodePredictor(in_channels=4, out_channels=3, **model)
            needs = 'exact' if network.gnn.num_hops == 2 else None
            assert cell.settings['data']['two_hop'] == needs
            is_mixture = model.get('num_experts', 1) > 1
            assert is_mixture == (cell.settings_from is not None)
            whole += 1
    assert whole == 110 + 4


def test_sizes_at_equal_cost():
    cells = load_table('heterogeneity').select(None, ['Cora'])
    sizes = {c.row: c.settings['model']['hidden_channels'] for c in cells}
    assert sizes['sage'] == 128
    assert sizes['mixture-mixed'] == sizes['mixture-top-p'] == 91
    assert sizes['mixture-softmax'] == 64
