"""Two processes do what one does on the joint batch."""

import json
import sys

import pandas as pd
import pytest
import torch

from gmoe import cli
from tests.training import tiny
from tests.training.ddp_pair import WORLD_SIZE, run
from tests.training.ddp_worker import (
    CASES,
    gradients,
    make_batch,
    make_halves,
    make_loss,
    make_some_labels,
)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """What two processes leave."""
    folder = tmp_path_factory.mktemp('ddp')
    # 63 graphs: an odd number of them in each part but one.
    tiny.write_config(folder, num_graphs=63, eval_batch_size=2)
    run(folder, 'tests.training.ddp_worker')
    return folder


@pytest.mark.parametrize('case', list(CASES))
def test_gradients_are_those_of_the_joint_batch(folder, case):
    results = [
        torch.load(folder / f'gradients{i}.pt', weights_only=True)[case]
        for i in range(WORLD_SIZE)
    ]
    loss = make_loss(case)
    halves = make_halves(case)
    expected = loss(make_batch(halves[0] + halves[1]))
    expected.backward()
    mean = sum(value for value, _ in results) / WORLD_SIZE
    assert torch.allclose(mean, expected.detach(), rtol=1e-6)
    for name, slow in gradients(loss).items():
        for _, grads in results:
            assert grads[name] is not None
            assert torch.allclose(grads[name], slow, rtol=1e-4, atol=1e-7), (
                name
            )


def test_cases_are_what_they_say():
    def usage(case, half):
        loss = make_loss(case)
        with torch.no_grad():
            _, routings = loss.model(make_batch(make_halves(case)[half]))
        return [(routing.counts > 0).tolist() for routing in routings]

    unused = 'experts without nodes'
    assert (
        usage(unused, 0)
        == usage(unused, 1)
        == [[True, True, False, False]] * 2
    )
    unused += ' on one rank'
    assert usage(unused, 0) == [[True, True, False, False]]
    assert usage(unused, 1) == [[False, False, True, True]]
    batch = make_batch(make_halves('no hop-2 edges on one rank')[1])
    assert batch.edge_index_2hop.size(1) == 0


def test_one_run_in_one_folder(folder):
    (run,) = (folder / 'runs').iterdir()
    assert run.name == 'version_0'
    assert (run / 'config.yaml').exists()
    first, second = (
        torch.load(folder / f'weights{i}.pt', weights_only=True)
        for i in range(WORLD_SIZE)
    )
    last = torch.load(run / 'checkpoints' / 'last.ckpt', weights_only=True)
    for name, value in first.items():
        assert torch.equal(value, last['state_dict'][name])
        # Running statistics are each process's own.
        assert 'running' in name or torch.equal(value, second[name])
    usage = tiny.logged(run).filter(like='expert_usage/layer1/')
    assert ((usage.sum(axis=1) - 1).abs() < 1e-6).all()


def test_each_graph_counts_once(folder, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['gmoe'])
    done = cli.run(
        [
            'validate',
            f'--config={folder / "tiny.yaml"}',
            '--data.test_curve=true',
        ]
    )
    logged = done.trainer.callback_metrics
    expected = float(logged['val/acc'])
    table = pd.read_csv(folder / 'runs' / 'version_0' / 'predictions.csv')
    assert table['graph_id'].tolist() == list(range(63))
    rows = table[table['split'] == 'valid']
    right = (rows['prediction_0'] > 0.5) == (rows['target_0'] == 1)
    assert right.mean() == pytest.approx(expected)
    for rank in range(WORLD_SIZE):
        scores = json.loads((folder / f'scores{rank}.json').read_text())
        # The test part has an odd number of graphs.
        assert set(scores) == set(logged) >= {'test_curve/loss'}
        for name, value in logged.items():
            assert scores[name] == pytest.approx(float(value)), name


def test_losses_are_those_of_all_labels(folder):
    model, data = tiny.make_still(), make_some_labels()
    data.setup()
    for rank in range(WORLD_SIZE):
        logged = torch.load(
            folder / f'some_labels{rank}.pt', weights_only=True
        )
        for name, split in {
            'train/task_loss': 'train',
            'val/loss': 'valid',
            'test_curve/loss': 'test',
        }.items():
            expected = tiny.label_loss(model, data, split)
            assert float(logged[name]) == pytest.approx(expected, rel=1e-6)


def test_all_processes_end_a_diverged_training(folder):
    for rank in range(WORLD_SIZE):
        message = (folder / f'diverged{rank}').read_text()
        assert message.startswith('training diverged at epoch 1, step 8:')
