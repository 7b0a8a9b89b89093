"""The routing of nodes as a table."""

import pandas as pd
import pytest
import torch

from gmoe.training import NodeDataModule, NodePredictor
from gmoe.training.callbacks import RoutingWriter
from gmoe.training.callbacks.routing_writer import _classes
from tests.datasets.nodes import small
from tests.training import tiny


@pytest.mark.parametrize('num_experts', [1, 4])
def test_table(num_experts, tmp_path, capsys):
    torch.save(small.make_graph(), tmp_path / 'mine.pt')
    data = NodeDataModule(str(tmp_path / 'mine.pt'), predict_split='test')
    torch.manual_seed(0)
    mixture = {'num_experts': 4, 'top_k': 3, 'moe_layers': [1]}
    model = NodePredictor(
        in_channels=data.in_channels,
        out_channels=data.num_outputs,
        num_layers=2,
        **(mixture if num_experts > 1 else {}),
    )
    trainer = tiny.make_trainer(
        callbacks=[RoutingWriter()], default_root_dir=tmp_path
    )
    trainer.predict(model, data)
    path = tmp_path / 'routing.csv'
    assert path.exists() == (num_experts > 1)
    assert ('routing.csv' in capsys.readouterr().out) == (num_experts > 1)
    if num_experts > 1:
        table = pd.read_csv(path)
        degrees = table[table['by'] == 'degree']
        assert degrees['nodes'].sum() == small.NUM_NODES
        assert set(table['layer']) == {1}
        assert set(table['experts']) == {3.0}
        assert set(table['hop1']) == {1.0}
        assert path.with_suffix('.png').is_file()


def test_parts_of_a_graph(tmp_path):
    """Of which none is all of it."""
    torch.save(small.make_graph(), tmp_path / 'mine.pt')
    data = NodeDataModule(
        str(tmp_path / 'mine.pt'),
        batch='parts',
        num_parts=2,
        full_evaluation=False,
    )
    model = NodePredictor(
        in_channels=data.in_channels,
        out_channels=data.num_outputs,
        num_layers=1,
        num_experts=2,
        top_k=1,
    )
    trainer = tiny.make_trainer(
        callbacks=[RoutingWriter()], default_root_dir=tmp_path
    )
    assert len(trainer.predict(model, data)) == 2
    assert not (tmp_path / 'routing.csv').exists()


def test_classes():
    y = torch.tensor([[1.0], [torch.nan], [0.0]])
    assert _classes(y).tolist() == [1, -1, 0]
    assert _classes(torch.tensor([2, -1])).tolist() == [2, -1]
    assert _classes(torch.ones(3, 2)) is None
