"""Peptides in batches, and the networks of the two configurations."""

from pathlib import Path

import pytest
import torch
import yaml

from gmoe.training import GraphPredictor, PeptidesDataModule
from tests.datasets.test_peptides import ROWS, write

pytest.importorskip('rdkit')

CONFIGS = Path(__file__).parents[2] / 'configs' / 'graph'


@pytest.mark.parametrize('name', ['gcn', 'gmoe'])
def test_configurations(name, tmp_path):
    """They train on the data, in the benchmark's number of parameters."""
    text = (CONFIGS / f'peptides-func-{name}.yaml').read_text()
    config = yaml.safe_load(text)
    settings = config['data']['init_args']
    settings['root'] = write(tmp_path, ROWS)
    data = PeptidesDataModule(cache_dir=tmp_path / 'kept', **settings)
    data.setup()
    assert (data.name, data.num_outputs) == ('peptides-func', 10)
    assert (data.monitor, data.monitor_mode) == ('val/ap', 'max')
    model = GraphPredictor(
        data.name,
        data.task_type,
        data.eval_metric,
        out_channels=data.num_outputs,
        node_dims=data.node_dims,
        edge_dims=data.edge_dims,
        **config['model']['init_args'],
    )
    assert sum(p.numel() for p in model.parameters()) <= 500_000
    assert (model.gnn.num_hops == 2) == (data.two_hop is not None)
    batch = next(iter(data.val_dataloader()[0]))
    batch = data.on_after_batch_transfer(batch, 0)
    out, _ = model.eval()(batch)
    assert out.shape == (1, 10)
    assert torch.isfinite(model.task_loss(out, batch.y))


def test_missing_data(tmp_path):
    data = PeptidesDataModule(root=tmp_path)
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        data.prepare_data()
