"""A training that is no longer finite ends, and is not saved."""

import math
import sys

import pytest
import torch
from lightning.pytorch import seed_everything

from gmoe import cli
from gmoe.training import TrainingDivergedError
from gmoe.training.watched_module import CHUNK, LossWatch, all_finite
from tests.training import tiny

SINGLE = {'num_experts': 1, 'num_experts_1hop': 1, 'top_k': None}
NETWORKS = {'mixture': {}, 'single': SINGLE}


def diverge(folder, match, callbacks=(), **kwargs):
    seed_everything(0)
    trainer = tiny.make_trainer(
        folder, max_epochs=4, callbacks=list(callbacks), **kwargs
    )
    with pytest.raises(TrainingDivergedError, match=match):
        # Six steps in each epoch.
        trainer.fit(tiny.make_model(**SINGLE), tiny.make_data())


def saved(folder):
    """The epoch of each checkpoint, all of which are finite."""
    epochs = {}
    for path in folder.glob('*.ckpt'):
        checkpoint = torch.load(path, weights_only=True)
        for value in checkpoint['state_dict'].values():
            assert value.isfinite().all()
        epochs[path.stem] = checkpoint['epoch']
    return epochs


@pytest.mark.parametrize('network', list(NETWORKS))
@pytest.mark.parametrize('precision', ['32-true', 'bf16-mixed', '64-true'])
def test_wild_learning_rate(tmp_path, network, precision):
    seed_everything(0)
    trainer = tiny.make_trainer(tmp_path, precision=precision)
    # float64 takes longer to overflow.
    rate = 1e300 if precision == '64-true' else 1e30
    model = tiny.make_model(learning_rate=rate, **NETWORKS[network])
    with pytest.raises(TrainingDivergedError, match='at epoch 0, step 1:'):
        trainer.fit(model, tiny.make_data())
    assert saved(tmp_path) == {}


@pytest.mark.parametrize('num_graphs', [10, 20])
def test_wild_learning_rate_of_short_epochs(tmp_path, num_graphs):
    # The first step ends the first epoch: validation finds it.
    seed_everything(0)
    trainer = tiny.make_trainer(tmp_path)
    data = tiny.make_data(num_graphs=num_graphs, batch_size=16)
    model = tiny.make_model(learning_rate=1e30, **SINGLE)
    with pytest.raises(TrainingDivergedError, match='at epoch 0, step 0:'):
        trainer.fit(model, data)
    assert saved(tmp_path) == {}


@pytest.mark.parametrize('step', [12, 13, 17])
def test_last_good_checkpoint_is_kept(tmp_path, step):
    match = f'at epoch 2, step {step}: the loss is not finite'
    diverge(tmp_path, match, [tiny.Breaks(step)])
    epochs = saved(tmp_path)
    assert epochs['last'] == 1
    assert epochs['best'] <= 1


def test_step_of_accumulated_gradients(tmp_path):
    # Three steps in each epoch.
    match = 'at epoch 1, step 4: the loss is not finite'
    diverge(tmp_path, match, [tiny.Breaks(4)], accumulate_grad_batches=2)
    assert saved(tmp_path)['last'] == 0


def test_validation_that_is_not_finite(tmp_path):
    match = 'at epoch 1, step 11: the validation loss is not finite'
    diverge(tmp_path, match, [tiny.Breaks(11, after=True)])
    assert saved(tmp_path)['last'] == 0


def test_weights_that_are_not_finite(tmp_path):
    match = 'at epoch 1, step 11: the weights are not finite'
    diverge(
        tmp_path, match, [tiny.Breaks(11, after=True)], limit_val_batches=0
    )
    assert saved(tmp_path) == {'last': 0}


def test_command_ends_with_status_2(tmp_path, monkeypatch, capsys):
    config = tiny.write_config(tmp_path)
    arguments = ['gmoe', 'fit', f'--config={config}']
    for name, value in SINGLE.items():
        arguments.append(
            f'--model.{name}={"null" if value is None else value}'
        )
    monkeypatch.setattr(
        sys, 'argv', [*arguments, '--model.learning_rate=1e30']
    )
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert 'gmoe: error: training diverged at epoch 0, step 1' in error
    assert not list(tmp_path.rglob('*.ckpt'))


def test_watch():
    watch = LossWatch()
    assert watch.look() is None
    losses = [1.0, math.inf, 2.0, math.nan]
    for scaler in (False, True):
        for step, loss in enumerate(losses):
            assert not watch.add(step + 5, torch.tensor(loss))
        # A scaler leaves out single steps.
        assert watch.look(leaves_out=scaler) == (None if scaler else 6)
    for step in (7, 8):
        watch.add(step, torch.tensor(math.nan))
    assert watch.look(leaves_out=True) == 7
    assert watch.look() is None
    full = [watch.add(step, torch.tensor(0.0)) for step in range(CHUNK)]
    assert full == [False] * (CHUNK - 1) + [True]


def test_all_finite():
    state = {'a': torch.ones(3), 'b': torch.ones(2, dtype=torch.long), 'c': 1}
    assert all_finite(state)
    assert all_finite({})
    assert all_finite({**state, 'd': torch.full((4,), 3e38)})
    assert not all_finite({**state, 'd': torch.tensor([0.0, math.inf])})
