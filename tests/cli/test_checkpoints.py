"""A checkpoint's settings are those of the network; damaged ones are
refused."""

import random
import shutil

import pandas as pd
import pytest
import torch
import yaml

from gmoe import cli
from gmoe.training.checkpoint import read_checkpoint
from gmoe.training.run_settings import run_settings
from tests.training import tiny


@pytest.fixture
def copied(finished, tmp_path):
    """A configuration whose newest run is a copy of the finished one."""
    config = tiny.write_config(tmp_path)
    shutil.copytree(finished, tmp_path / 'runs' / 'version_0')
    return config


def checkpoint(config, name):
    """The argument that names a checkpoint in each of three ways."""
    if name != 'path':
        return f'--ckpt_path={name}'
    folder = config.parent / 'runs' / 'version_0' / 'checkpoints'
    return f'--ckpt_path={folder / "last.ckpt"}'


def one_error(lines):
    """The line of an error, after what Lightning tells."""
    assert [line for line in lines if 'error' in line] == lines[-1:]
    assert lines[-1].startswith('gmoe: error: ')
    return lines[-1]


@pytest.mark.parametrize(
    ('command', 'name'),
    [
        ('fit', 'best'),
        ('fit', 'last'),
        ('fit', 'path'),
        ('validate', 'last'),
        ('test', 'best'),
        ('predict', 'path'),
    ],
)
@pytest.mark.parametrize(
    ('argument', 'words'),
    [
        ('--model.dropout=0.7', ["'model.dropout'", '0.3', '0.7']),
        ('--model.combine=mean', ["'model.combine'", "'sum'", "'mean'"]),
        ('--model.norm=layer_norm', ["'model.norm'", "'batch_norm'"]),
        ('--model.learning_rate=0.5', ["'model.learning_rate'", '0.001']),
        ('--model.moe_layers=[0]', ["'model.moe_layers'", 'None', '[0]']),
        ('--model=TriplePredictor', ["'model'", 'GraphPredictor']),
    ],
)
def test_other_settings_are_refused(
    refused, config, command, name, argument, words
):
    runs = config.parent / 'runs'
    before = {path: path.stat().st_mtime_ns for path in runs.rglob('*')}
    line = one_error(
        refused(
            command, f'--config={config}', checkpoint(config, name), argument
        )
    )
    for word in [*words, '.ckpt']:
        assert word in line
    after = {path: path.stat().st_mtime_ns for path in runs.rglob('*')}
    assert after == before


@pytest.mark.parametrize('is_moved', [False, True])
def test_the_configuration_of_a_run_means_that_run(
    copied, tmp_path, monkeypatch, is_moved
):
    runs = tmp_path / 'runs'
    shutil.copytree(runs / 'version_0', runs / 'version_1')
    own = runs / 'version_0'
    if is_moved:
        own = own.rename(tmp_path / 'moved')
    given = f'--config={own / "config.yaml"}'
    done = cli.run(['test', given])
    assert done.run_dir.path == own
    assert cli.run(['predict', given]).run_dir.path == own
    assert (own / 'predictions.csv').exists()
    done = cli.run(['fit', given, '--ckpt_path=last'])
    assert done.run_dir.path == own
    done = cli.run(['test', given, f'--run_dir={runs}'])
    assert done.run_dir.path == runs / 'version_1'
    done = cli.run(['fit', given, f'--run_dir={tmp_path / "new"}'])
    assert done.run_dir.path == tmp_path / 'new' / 'version_0'


@pytest.mark.parametrize('name', ['last', 'path'])
def test_settings_that_are_not_given_are_the_checkpoints(tmp_path, name):
    config = tiny.write_config(tmp_path)
    more = ['--model.norm=layer_norm', '--model.residual=true']
    limit = '--trainer.max_epochs=1'
    cli.run(['fit', f'--config={config}', limit, *more])
    arguments = [f'--config={config}', checkpoint(config, name)]
    done = cli.run(['test', *arguments])
    assert done.model.hparams['norm'] == 'layer_norm'
    cli.run(['test', *arguments, *more])  # What is equal may be said.
    done = cli.run(['fit', *arguments, '--trainer.max_epochs=2'])
    assert done.model.hparams['residual'] is True
    saved = tmp_path / 'runs' / 'version_0' / 'config.yaml'
    settings = yaml.safe_load(saved.read_text())
    assert settings['model']['init_args']['norm'] == 'layer_norm'
    assert settings['trainer']['max_epochs'] == 2


def test_training_goes_on_with_its_seed(copied, refused, tmp_path):
    arguments = ['fit', f'--config={copied}', '--ckpt_path=last']
    line = one_error(refused(*arguments, '--seed_everything=7'))
    assert "'seed_everything' must be 5" in line
    assert 'got 7' in line
    settings = yaml.safe_load(copied.read_text())
    del settings['seed_everything']
    copied.write_text(yaml.safe_dump(settings))
    cli.run([*arguments, '--trainer.max_epochs=3'])
    whole = ['fit', f'--config={tiny.write_config(tmp_path)}']
    cli.run([*whole, '--trainer.max_epochs=3'])
    a, b = (
        torch.load(
            tmp_path / 'runs' / f'version_{i}' / 'checkpoints' / 'last.ckpt',
            weights_only=True,
        )['state_dict']
        for i in range(2)
    )
    for key, value in a.items():
        assert torch.equal(value, b[key]), key


def test_optimizer_is_the_checkpoints(refused, tmp_path):
    config = tiny.write_config(tmp_path)
    sgd = ['--optimizer=SGD', '--optimizer.lr=0.01']
    fit = ['fit', f'--config={config}', '--trainer.max_epochs=1']
    cli.run([*fit, *sgd])
    more = [*fit, '--ckpt_path=last', '--trainer.max_epochs=2']
    line = one_error(refused(*more, '--optimizer=Adam'))
    assert "'optimizer' must be 'torch.optim.SGD'" in line
    line = one_error(refused(*more, *sgd[:1], '--optimizer.lr=0.5'))
    assert "'optimizer.lr' must be 0.01" in line
    done = cli.run(more)
    assert type(done.trainer.optimizers[0]) is torch.optim.SGD


def test_changes_of_a_training_are_told(copied, capfd, caplog):
    # Other tests may have silenced it.
    name = 'lightning.pytorch.utilities.rank_zero'
    with caplog.at_level('INFO', name):
        cli.run(
            [
                'fit',
                f'--config={copied}',
                '--ckpt_path=last',
                '--trainer.max_epochs=3',
                '--data.batch_size=16',
            ]
        )
    said = capfd.readouterr().err + caplog.text
    assert "Goes on with 'trainer.max_epochs' 3, before 2" in said
    assert "Goes on with 'data.batch_size' 16, before 8" in said
    assert 'num_graphs' not in said


@pytest.mark.parametrize('command', ['fit', 'test', 'predict'])
def test_other_dataset_is_refused(refused, config, data_root, command):
    best = config.parent / 'runs' / 'version_0' / 'checkpoints' / 'best.ckpt'
    line = one_error(
        refused(
            command,
            '--model=GraphPredictor',
            '--data=OGBMolDataModule',
            '--data.name=ogbg-molbbbp',
            f'--data.root={data_root / "ogb"}',
            '--data.download=false',
            f'--ckpt_path={best}',
        )
    )
    for word in ("'hop-mixture'", "'ogbg-molbbbp'", str(best)):
        assert word in line
    assert not (best.parents[1] / 'predictions.csv').exists()


def broken(change, path):
    """Writes a checkpoint in which something is changed."""
    loaded = torch.load(path, weights_only=True)
    change(loaded)
    torch.save(loaded, path)


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (lambda c: c.pop('hyper_parameters'), ['hyper_parameters']),
        (lambda c: c['hyper_parameters'].clear(), ['hyper_parameters']),
        (lambda c: c.pop('state_dict'), ['state_dict']),
        (lambda c: c.update(epoch='two'), ['epoch']),
        (lambda c: c.pop('optimizer_states'), ['optimizer_states']),
        (lambda c: c['state_dict'].popitem(), ['shape None']),
        (
            lambda c: c['state_dict'].update({'other': torch.ones(2)}),
            ['other', '[2]'],
        ),
        (
            lambda c: c['hyper_parameters'].update(_class_path='os.system'),
            ['os.system'],
        ),
        (
            lambda c: c['hyper_parameters'].update(_class_path='no.Such'),
            ['no.Such'],
        ),
        (lambda c: c['hyper_parameters'].update(other=3), ['takes its']),
        (lambda c: c['hyper_parameters'].update(top_k='x'), ['takes its']),
        (
            lambda c: c.update(
                hyper_parameters={
                    '_class_path': 'gmoe.training.TriplePredictor',
                    'text_channels': 5,
                }
            ),
            ['TriplePredictor'],
        ),
    ],
)
def test_checkpoints_of_something_else(refused, copied, change, words):
    path = copied.parent / 'runs' / 'version_0' / 'checkpoints' / 'last.ckpt'
    broken(change, path)
    line = one_error(refused('fit', f'--config={copied}', '--ckpt_path=last'))
    for word in [*words, str(path)]:
        assert word in line


def is_same(a, b):
    """Whether two checkpoints hold the same values."""
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and a.equal(b)
    if isinstance(a, dict):
        return [*a] == [*b] and all(is_same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(is_same, a, b))
    return a == b


def test_damaged_checkpoints(refused, copied, tmp_path):
    """Whatever is cut off or flipped: one line, or not a value changes."""
    config = f'--config={copied}'
    path = tmp_path / 'damaged.ckpt'
    best = copied.parent / 'runs' / 'version_0' / 'checkpoints' / 'best.ckpt'
    whole = best.read_bytes()
    values = torch.load(best, weights_only=True)
    rng = random.Random(0)
    cut = [
        0,
        1,
        len(whole) - 1,
        *(rng.randrange(len(whole)) for _ in range(8)),
    ]
    damaged = [whole[:size] for size in cut]
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(rng.choice([1, 1, 8])):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        damaged.append(bytes(data))
    num_refused = 0
    for data in damaged:
        path.write_bytes(data)
        try:
            assert is_same(read_checkpoint(path), values)
        except ValueError as error:
            message = str(error)
            num_refused += 1
        else:
            message = str(path)
        assert str(path) in message
        assert '\n' not in message
    assert num_refused > len(damaged) // 2
    for data in damaged[:3]:
        path.write_bytes(data)
        line = one_error(refused('test', config, f'--ckpt_path={path}'))
        assert str(path) in line
    assert len(list((copied.parent / 'runs').iterdir())) == 1


class Evil:
    """Runs a command where it is unpickled."""

    def __init__(self, sign):
        self.sign = sign

    def __reduce__(self):
        return (open, (self.sign, 'w'))


@pytest.mark.parametrize(
    'callbacks', [{'RunSettings': 3}, {'EpochSeed': 3}, 3]
)
def test_settings_of_something_else_are_none(callbacks):
    assert run_settings({'callbacks': callbacks}) == {}


def test_no_code_of_a_checkpoint_is_run(refused, copied, tmp_path):
    path, sign = tmp_path / 'evil.ckpt', tmp_path / 'sign'
    torch.save({'state_dict': {}, 'epoch': Evil(str(sign))}, path)
    for command in ('fit', 'test', 'predict'):
        line = one_error(
            refused(command, f'--config={copied}', f'--ckpt_path={path}')
        )
        assert str(path) in line
        assert not sign.exists()


def test_python_checkpoints_have_settings_too(tmp_path, refused):
    tiny.fit(tmp_path, max_epochs=1, ckpt_path=None)
    config = tiny.write_config(tmp_path)
    arguments = [f'--config={config}', f'--ckpt_path={tmp_path / "last.ckpt"}']
    cli.run(['predict', *arguments])
    predictions = tmp_path / 'runs' / 'version_0' / 'predictions.csv'
    assert len(pd.read_csv(predictions)) == 6
    line = one_error(refused('test', *arguments, '--model.norm=layer_norm'))
    assert "'model.norm' must be 'batch_norm'" in line
