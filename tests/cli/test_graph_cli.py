"""Early stopping and averaged weights by options of the command line."""

import pytest
import torch

from gmoe import cli
from gmoe.training import GraphPredictor
from tests.training import tiny


def load(folder):
    path = folder / 'runs' / 'version_0' / 'checkpoints' / 'last.ckpt'
    return torch.load(path, weights_only=True), path


def test_early_stopping_and_averaging(tmp_path):
    config = tiny.write_config(tmp_path)
    # A network that does not learn never gets better.
    still = [
        '--model.learning_rate=0',
        '--model.norm=layer_norm',
        '--model.router_kwargs.noise=false',
    ]
    fit = ['fit', f'--config={config}']
    stop = ['--early_stopping.patience=1']
    average = ['--averaging.decay=0.9']
    cli.run([*fit, *still, *stop, *average])
    saved, path = load(tmp_path)
    assert saved['epoch'] == 1
    assert any(key.startswith('EarlyStop') for key in saved['callbacks'])
    assert 'current_model_state' in saved
    settings = (tmp_path / 'runs' / 'version_0' / 'config.yaml').read_text()
    assert 'patience: 1' in settings
    assert 'decay: 0.9' in settings
    assert GraphPredictor.load_from_checkpoint(path).task_type
    # Averaging goes on without being asked for, and cannot change.
    cli.run([*fit, '--ckpt_path=last', '--trainer.max_epochs=3'])
    saved, _ = load(tmp_path)
    assert saved['epoch'] == 2
    assert 'current_model_state' in saved
    with pytest.raises(ValueError, match="'averaging.decay' must be 0.9"):
        cli.run([*fit, '--ckpt_path=last', '--averaging.decay=0.5'])
    cli.run(['test', f'--config={config}', '--ckpt_path=last'])


@pytest.mark.parametrize(
    ('option', 'name'),
    [
        ('--early_stopping.patience=0', "'patience' must be"),
        ('--averaging.decay=2', "'decay' must be"),
        ('--model.loss=huber', "'loss' must be one of"),
        ('--model.schedule=step', "'schedule' must be one of"),
    ],
)
def test_refused(tmp_path, refused, option, name):
    config = tiny.write_config(tmp_path)
    (line,) = refused('fit', f'--config={config}', option)
    assert name in line
