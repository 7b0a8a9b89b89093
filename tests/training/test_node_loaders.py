"""Mini-batches of a graph in a data module, and in a run."""

import pytest
import torch
from lightning.pytorch import Callback, Trainer, seed_everything

from gmoe.training import NodeDataModule, NodePredictor, node_loaders
from gmoe.training.node_batches import BatchSettings
from gmoe.training.node_loaders import evaluation_bytes
from tests.datasets.nodes import small


@pytest.fixture
def path(tmp_path):
    torch.save(small.make_graph(), tmp_path / 'mine.pt')
    return str(tmp_path / 'mine.pt')


def make_data(path, **kwargs):
    settings = {'batch': 'parts', 'num_parts': 4, 'two_hop': 'exact'}
    return NodeDataModule(path, **{**settings, **kwargs})


def make_model(data, **kwargs):
    seed_everything(0, verbose=False)
    return NodePredictor(
        in_channels=data.in_channels,
        out_channels=data.num_outputs,
        hidden_channels=8,
        num_layers=2,
        num_experts=4,
        num_experts_1hop=2,
        top_k=2,
        **kwargs,
    )


class Seen(Callback):
    """Which nodes each training step had."""

    def __init__(self):
        self.steps = []

    def on_train_batch_start(self, trainer, module, batch, number):
        self.steps.append((batch.num_nodes, batch.graph_id.tolist()))


def fit(data, model, epochs=2):
    seen = Seen()
    trainer = Trainer(
        max_epochs=epochs,
        accelerator='cpu',
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[seen],
    )
    trainer.fit(model, datamodule=data)
    return trainer, seen.steps


@pytest.mark.parametrize('full_evaluation', [True, False])
def test_training(path, full_evaluation):
    """Each training node once an epoch, in small graphs; validation and
    predictions of each node once, whatever evaluation looks at."""
    data = make_data(path, full_evaluation=full_evaluation)
    model = make_model(data)
    trainer, steps = fit(data, model)
    train = data.splits['train'].tolist()
    assert len(steps) == 8
    assert all(size < small.NUM_NODES for size, _ in steps)
    for epoch in (steps[:4], steps[4:]):
        assert sorted(node for _, nodes in epoch for node in nodes) == train
    assert steps[:4] != steps[4:]
    assert trainer.callback_metrics['val/accuracy'].isfinite()
    parts = trainer.predict(model, datamodule=data)
    assert len(parts) == (1 if full_evaluation else 4)
    seen = torch.cat([part['graph_id'] for part in parts])
    assert torch.equal(seen.sort()[0], torch.arange(small.NUM_NODES))


def test_evaluation_by_parts_leaves_out_edges_between_them(path):
    data = make_data(path, full_evaluation=False, num_parts=5)
    data.setup()
    batches = list(data.predict_dataloader())
    inside = sum(batch.num_edges for batch in batches)
    part = data.loaders.parts.part
    ends = part[data.graph.data.edge_index]
    assert inside == int((ends[0] == ends[1]).sum()) < ends.size(1)
    one = make_data(path, full_evaluation=False, num_parts=1)
    one.setup()
    (batch,) = one.predict_dataloader()
    assert batch.num_edges == data.graph.data.num_edges


def test_what_evaluation_looks_at_is_said(path, monkeypatch):
    lines = []
    monkeypatch.setattr(node_loaders, 'rank_zero_info', lines.append)
    for memory, seen in ((10**9, 'the whole graph'), (10**4, 'parts')):
        monkeypatch.setattr(
            node_loaders, 'usable_memory', lambda _, m=memory: m
        )
        data = make_data(path)
        data.setup()
        assert data.full_evaluation == (memory == 10**9)
        assert lines[-1].startswith(f'Evaluation looks at {seen}')
    assert ': the whole graph would take about ' in lines[-1]
    assert lines[-1].endswith(' KB of 10 KB')
    _ = data.loaders.parts
    assert lines[-1].startswith('Cut the graph into 4 parts; ')


def test_bytes_of_evaluation():
    data = small.make_graph()
    plain = evaluation_bytes(data, 0, 64, 1)
    assert plain == 4 * 64 * (30 * 5 + 33)
    assert evaluation_bytes(data, 10, 64, 1) == plain + 10 * (4 * 64 + 48)


def test_several_processes(path):
    data = make_data(path, num_parts=5)
    data.setup()

    class Two:
        world_size, global_rank = 2, 0

    with pytest.raises(ValueError, match="'num_parts' must be a multiple"):
        data.loaders.train(Two())
    settings = BatchSettings('parts', num_parts=4)
    object.__setattr__(settings, 'kind', 'neighbors')
    data.loaders.settings = settings
    with pytest.raises(ValueError, match="several processes, got 'neighbors'"):
        data.loaders.train(Two())


def test_refused(path):
    with pytest.raises(ValueError, match="'batch' must be one of"):
        make_data(path, batch='some')
    data = make_data(path, num_parts=31)
    data.setup()
    with pytest.raises(ValueError, match="'num_parts' .* from 1 to 30"):
        data.train_dataloader()
