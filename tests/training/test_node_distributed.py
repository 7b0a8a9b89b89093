"""Two processes that train on parts of their own do what one does on both."""

import pytest
import torch
from torch_geometric.data import Data

from tests.datasets.nodes import small
from tests.training import node_ddp_worker
from tests.training.ddp_pair import (
    WORLD_SIZE,
    make_trainer,
    run,
    seen,
    weights,
)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """What two processes leave."""
    folder = tmp_path_factory.mktemp('node_ddp')
    torch.save(small.make_graph(), folder / 'mine.pt')
    run(folder, 'tests.training.node_ddp_worker', PL_GLOBAL_SEED='3')
    return folder


def joint(first: Data, second: Data) -> Data:
    """Two batches as one, without edges between them."""
    size = len(first.x)
    ends = ('edge_index', 'edge_index_2hop')
    return Data(
        x=torch.cat([first.x, second.x]),
        target=torch.cat([first.target, second.target + size]),
        y=torch.cat([first.y, second.y]),
        graph_id=torch.cat([first.graph_id, second.graph_id]),
        **{k: torch.cat([first[k], second[k] + size], dim=1) for k in ends},
    )


def test_every_training_node_once(folder):
    steps = [seen(folder, rank)['steps'] for rank in range(WORLD_SIZE)]
    assert len(steps[0]) == len(steps[1]) == 3
    own = [sum(part, []) for part in steps]
    data = node_ddp_worker.make_data(folder)
    data.setup()
    assert sorted(own[0] + own[1]) == data.splits['train'].tolist()
    part = data.loaders.parts.part
    assert not set(part[own[0]].tolist()) & set(part[own[1]].tolist())


def test_weights_are_those_of_the_joint_batches(folder, monkeypatch):
    """Which means that gradients are averaged, by labels."""
    monkeypatch.setenv('PL_GLOBAL_SEED', '3')
    data = node_ddp_worker.make_data(folder)
    data.setup()
    model = node_ddp_worker.make_model(data).double()
    model.objective.fit(data, True)
    loaders = [data.loaders.of_parts('train', Rank(i), True) for i in (0, 1)]
    optimizer = torch.optim.Adam(model.parameters(), model.learning_rate)
    for batches in zip(*loaders):
        optimizer.zero_grad()
        model.training_step(joint(*batches), 0).backward()
        optimizer.step()
    first, second = (weights(folder, rank) for rank in range(WORLD_SIZE))
    start = node_ddp_worker.make_model(data).double().state_dict()
    assert any(not torch.equal(start[name], first[name]) for name in first)
    slow = model.state_dict()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
        torch.testing.assert_close(value, slow[name], rtol=1e-7, atol=1e-9)


class Rank:
    """A trainer, as far as loaders know it."""

    world_size, lightning_module = WORLD_SIZE, None

    def __init__(self, rank):
        self.global_rank = rank


def test_validation_scores_each_node_once(folder):
    data = node_ddp_worker.make_data(folder)
    model = node_ddp_worker.make_model(data)
    model.load_state_dict(weights(folder, 0))
    trainer = make_trainer()
    trainer.validate(model, datamodule=data, verbose=False)
    expected = trainer.callback_metrics
    for rank in range(WORLD_SIZE):
        scores = seen(folder, rank)['scores']
        for name in ('val/loss', 'val/accuracy'):
            assert scores[name] == pytest.approx(float(expected[name])), name
