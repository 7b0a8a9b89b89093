"""A run that was stopped goes on as if it had not."""

import signal
import sys
import time
from pathlib import Path

import pytest
import torch
from lightning.pytorch import seed_everything

from gmoe import cli
from tests import processes
from tests.training import tiny


def load(path):
    return torch.load(path, weights_only=True)


def assert_same_state(path, other):
    """Weights, buffers, optimizer, place: all but seconds and file names."""
    a, b = load(path), load(other)
    assert a['epoch'] == b['epoch']
    assert a['global_step'] == b['global_step']
    assert list(a['state_dict']) == list(b['state_dict'])
    for name, value in a['state_dict'].items():
        assert torch.equal(value, b['state_dict'][name]), name
    for one, two in zip(a['optimizer_states'], b['optimizer_states']):
        assert one['param_groups'] == two['param_groups']
        assert list(one['state']) == list(two['state'])
        for index, state in one['state'].items():
            for key, value in state.items():
                assert torch.equal(value, two['state'][index][key])


def assert_same_logs(folder, other):
    assert tiny.logged(folder).equals(tiny.logged(other))


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """The folder of a run that was not stopped."""
    folder = tmp_path_factory.mktemp('whole')
    tiny.fit(folder, max_epochs=4)
    return folder


@pytest.mark.parametrize('num_workers', [0, 1])
def test_resumed_run_equals_uninterrupted_run(whole, tmp_path, num_workers):
    tiny.fit(tmp_path, max_epochs=2, num_workers=num_workers)
    last = tmp_path / 'last.ckpt'
    assert load(last)['epoch'] == 1
    tiny.fit(tmp_path, max_epochs=4, ckpt_path=last, num_workers=num_workers)
    assert_same_state(last, whole / 'last.ckpt')
    assert_same_state(tmp_path / 'best.ckpt', whole / 'best.ckpt')
    assert_same_logs(tmp_path, whole)


def test_seed_decides(whole, tmp_path):
    tiny.fit(tmp_path / 'same', max_epochs=1)
    tiny.fit(tmp_path / 'other', max_epochs=1, seed=6)
    first = tiny.logged(whole).iloc[:1]
    assert tiny.logged(tmp_path / 'same').equals(first)
    other = tiny.logged(tmp_path / 'other')
    assert (other['train/task_loss'] != first['train/task_loss']).all()


def test_last_checkpoint_is_that_of_the_last_epoch(tmp_path):
    # A score that stays as it is: the first epoch is the best one.
    seed_everything(0)
    trainer = tiny.make_trainer(tmp_path, max_epochs=3)
    trainer.fit(
        tiny.make_model(learning_rate=0.0, norm='layer_norm'),
        tiny.make_data(),
    )
    assert load(tmp_path / 'best.ckpt')['epoch'] == 0
    assert load(tmp_path / 'last.ckpt')['epoch'] == 2


def test_killed_process_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['gmoe'])
    config = tiny.write_config(tmp_path)
    sign = tmp_path / 'sign'
    process = processes.start(
        tmp_path,
        'gmoe.cli',
        'fit',
        f'--config={config}',
        '--trainer.callbacks+=tests.training.tiny.Stuck',
        f'--trainer.callbacks.sign={sign}',
    )
    try:
        end = time.monotonic() + 120
        while not sign.exists() and process.poll() is None:
            assert time.monotonic() < end
            time.sleep(0.05)
    finally:
        process.kill()
    assert process.wait(120) == -signal.SIGKILL, (
        tmp_path / 'stderr'
    ).read_text()
    stopped = tmp_path / 'runs' / 'version_0'
    assert load(stopped / 'checkpoints' / 'last.ckpt')['epoch'] == 1

    cli.run(['fit', f'--config={config}', '--ckpt_path=last'])
    cli.run(['fit', f'--config={config}'])
    whole = tmp_path / 'runs' / 'version_1'
    for name in ('best', 'last'):
        path = Path('checkpoints') / f'{name}.ckpt'
        assert_same_state(stopped / path, whole / path)
    assert_same_logs(stopped, whole)
    assert not (tmp_path / 'runs' / 'version_2').exists()
