"""Two processes that train on links of their own do what one does on both."""

import pytest
import torch

from gmoe.datasets.links.pairs import NonEdges
from gmoe.training.graph_data_module import shuffle_seed
from gmoe.training.link_steps import LinkBatches, LinkSteps
from tests.datasets.links import small
from tests.training import link_ddp_worker
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
    folder = tmp_path_factory.mktemp('link_ddp')
    small.write_table(folder / 'mine.csv')
    run(folder, 'tests.training.link_ddp_worker', PL_GLOBAL_SEED='3')
    return folder


def test_weights_are_those_of_the_joint_batches(folder, monkeypatch):
    """Which means that gradients are averaged."""
    monkeypatch.setenv('PL_GLOBAL_SEED', '3')
    data = link_ddp_worker.make_data(folder)
    data.setup()
    model = link_ddp_worker.make_model(data).double()
    model.objective.fit(data, True)
    links = data.graph.links['train']
    steps = LinkSteps(links, NonEdges(links, data.num_nodes))
    samplers = [
        LinkBatches(links.size(1), 5, shuffle_seed(), WORLD_SIZE, rank)
        for rank in range(WORLD_SIZE)
    ]
    optimizer = torch.optim.Adam(model.parameters(), model.learning_rate)
    for both in zip(*samplers, strict=True):
        first, second = (steps[one] for one in both)
        first.pairs = torch.cat([first.pairs, second.pairs], dim=1)
        first.y = torch.cat([first.y, second.y])
        batch = data.on_after_batch_transfer(first, 0)
        batch.router_input = batch.router_input.double()
        optimizer.zero_grad()
        model.training_step(batch, 0).backward()
        optimizer.step()
    found = [weights(folder, rank) for rank in range(WORLD_SIZE)]
    start = link_ddp_worker.make_model(data).double().state_dict()
    assert any(not torch.equal(start[k], found[0][k]) for k in start)
    slow = model.state_dict()
    for name, value in found[0].items():
        assert torch.equal(value, found[1][name]), name
        torch.testing.assert_close(value, slow[name], rtol=1e-7, atol=1e-9)


def test_validation_scores_each_pair_once(folder):
    data = link_ddp_worker.make_data(folder)
    model = link_ddp_worker.make_model(data)
    model.load_state_dict(weights(folder, 0))
    trainer = make_trainer()
    trainer.validate(model, datamodule=data, verbose=False)
    for rank in range(WORLD_SIZE):
        kept = seen(folder, rank)
        assert [len(step) for step in kept['steps']] == [10, 8]
        for name in ('val/loss', 'val/rocauc'):
            expected = float(trainer.callback_metrics[name])
            assert kept['scores'][name] == pytest.approx(expected), name
