"""Whatever is wrong with a command: one line, the status 2, nothing left."""

import os

import pytest
import yaml

from gmoe import cli
from tests import processes
from tests.cli.test_checkpoints import one_error
from tests.training import tiny

CSV = ','.join(map(str, range(5000)))
BOMB = 'a0: &a0 [1, 1, 1, 1]\n' + '\n'.join(
    f'a{i}: &a{i} [{", ".join([f"*a{i - 1}"] * 9)}]' for i in range(1, 12)
)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder to run in, with a configuration beside it."""
    folder = tmp_path / 'here'
    folder.mkdir()
    monkeypatch.chdir(folder)
    return tiny.write_config(tmp_path)


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        ('--model.num_expert=4', ['--model.num_expert', 'num_experts']),
        ('--model.num_expert 4', ['--model.num_expert', 'num_experts']),
        ('--data.batchsize=4', ['--data.batchsize', 'batch_size']),
        ('--trainer.max_epoch=4', ['--trainer.max_epoch', 'max_epochs']),
        ('--run_dirr=x', ['--run_dirr', '--run_dir']),
        ('--optimizer=Adam --optimizer.lrr=3', ['--optimizer.lrr', '.lr']),
        ('--model.gnn.norm=x', ['--model.gnn.norm']),
        ('extra', ["'extra' is no option", "right behind 'fit'"]),
        ('--run_dir', ['--run_dir', 'expected one argument']),
        ('--config', ['--config', 'expected one argument']),
        ('--config --run_dir x', ['--config', 'expected one argument']),
        ('--run_dir x --ensemble', ["'ensemble' must be", "got ''"]),
        ('--ensemble --run_dir x', ["'ensemble' must be", "got ''"]),
        ('--model.top_k=many', ["'model.top_k'", 'int', "'many'"]),
        ('--model.num_experts=[1,2]', ["'model.num_experts'", 'int', '1, 2']),
        ('--data.batch_size=1.5', ["'data.batch_size'", 'int', '1.5']),
        ('--seed_everything=x', ["'seed_everything'", 'int', "'x'"]),
        ('--model=Nope', ["'model'", 'GraphPredictor', "'Nope'"]),
        ('--model=os.system', ["'model'", 'TriplePredictor', 'os.system']),
        ('--data=gmoe.nn.GNN', ["'data'", 'OGBMolDataModule', 'GNN']),
        ('--trainer.callbacks+=Nope', ["'trainer.callbacks'", 'Nope']),
        (
            '--trainer.callbacks+=EarlyStopping',
            ["'trainer.callbacks'", 'monitor'],
        ),
        ('--trainer.logger=nope', ["'trainer.logger'", "'nope'"]),
        ('--trainer.devices=0', ["'trainer' must", ', got: ', 'devices']),
        ('--trainer.accelerator=nope', ["'trainer'", 'nope']),
        ('--trainer.strategy=nope', ["'trainer'", 'strategy', 'nope']),
        ('--trainer.gradient_clip_val=-1', ["'gradient_clip_val'", '-1']),
        ('--trainer.default_root_dir=x', ["'trainer.default_root_dir'"]),
        ('--checkpoint.dirpath=x', ["'checkpoint.dirpath'", "'run_dir'"]),
        ('--trainer.max_epochs=-5', ["'trainer'", 'max_epochs', '-5']),
        ('--trainer.max_epochs=0', ["'trainer.max_epochs' must", 'got 0']),
        ('--trainer.max_steps=0', ["'trainer.max_steps' must", 'got 0']),
        ('--trainer.precision=17', ["'trainer.precision'", '17']),
        ('--checkpoint.save_top_k=-3', ['save_top_k=-3']),
        ('--ckpt_path=', ["'ckpt_path'", "''"]),
        ('--ckpt_path=.', ["'ckpt_path'", "'.'"]),
        ('--ckpt_path=best', ["'ckpt_path'", "'best'", 'gmoe fit']),
        ('--run_dir=../tiny.yaml', ["'run_dir'", 'tiny.yaml']),
        ('--run_dir=../tiny.yaml/x', ["'run_dir'", 'tiny.yaml/x']),
        (f'--run_dir={"x" * 300}', ["'run_dir'", 'too long']),
        # Found when the trainer has begun to set up.
        ('--data.two_hop=null', ["'two_hop'", 'None']),
        ('--trainer.limit_train_batches=-1', ['limit_train_batches']),
        ('--model.moe_layers=[7]', ["'moe_layers'", '7']),
    ],
)
def test_wrong_arguments(refused, here, arguments, words):
    arguments = arguments.split()
    line = one_error(refused('fit', f'--config={here}', *arguments))
    for word in words:
        assert word in line
    assert len(line) < 500
    assert os.listdir() == []
    assert sorted(os.listdir('..')) == ['here', 'tiny.yaml']


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        (None, ['no such file']),
        (b'', ['empty']),
        (b'a: [', ['line 1']),
        (b'\xff\xfe\x00\x01' * 99, ['UTF-8']),
        (b'\x00\x01', ['not YAML']),
        (CSV.encode(), ['names and their values']),
        (b'# ' + b'x' * (1 << 20), ['bytes']),
        (BOMB.encode(), ['values']),
        (b'a: &a [*a]', ['values']),
        (b'[' * 5000, ['deep']),
        (b'!!python/object/apply:os.system [touch x]', ['line 1']),
        (b'trainr: {max_epochs: 3}', ['trainr', 'trainer']),
        (b'model: {class_path: Nope}', ["'model'", 'Nope']),
    ],
)
@pytest.mark.parametrize('option', ['--config', '-c'])
def test_damaged_configurations(refused, here, option, content, words):
    file = here.parent / 'damaged.yaml'
    if content is not None:
        file.write_bytes(content)
    line = one_error(refused('fit', option, file))
    for word in words:
        assert word in line
    assert len(line) < 500
    assert os.listdir() == []


@pytest.mark.parametrize('option', ['--data', '--model', '--trainer'])
def test_file_that_is_no_configuration(refused, here, option):
    file = here.parent / 'mine.csv'
    file.write_text(CSV)
    for arguments in ([option, file], [f'{option}={file}']):
        line = one_error(refused('fit', f'--config={here}', *arguments))
        assert f"'{option[2:]}' must be a file of settings" in line
        assert 'mine.csv' in line
        assert len(line) < 300


def test_misspelt_settings_of_a_file(refused, here):
    settings = yaml.safe_load(here.read_text())
    settings['model']['init_args']['num_expert'] = 8
    here.write_text(yaml.safe_dump(settings))
    line = one_error(refused('fit', '--config', here))
    assert "did you mean '--model.num_experts'" in line


def test_later_configurations_and_classes_win(here):
    other = here.parent / 'other.yaml'
    other.write_text('trainer: {max_epochs: 1}\n')
    done = cli.run(
        [
            'fit',
            f'--config={here}',
            f'--config={other}',
            '--model=TriplePredictor',
            '--model=GraphPredictor',
            '--model.num_layers=1',
            '--trainer.fast_dev_run=true',
        ]
    )
    assert done.trainer.max_epochs == 1
    assert done.model.hparams['num_layers'] == 1
    # A run that keeps nothing leaves nothing.
    assert not (here.parent / 'runs').exists()


def test_folder_without_permission(refused, here):
    # Not even root may write there.
    line = one_error(refused('fit', f'--config={here}', '--run_dir=/proc/x'))
    assert "'run_dir' must be a folder that can be written" in line


def test_home_folder(here, monkeypatch, tmp_path):
    monkeypatch.setenv('HOME', str(tmp_path))
    limit = '--trainer.max_epochs=1'
    for _ in range(2):
        cli.run(['fit', '--config=~/tiny.yaml', '--run_dir=~/a b', limit])
    runs = tmp_path / 'a b'
    assert sorted(os.listdir(runs)) == ['version_0', 'version_1']
    best = '--ckpt_path=~/a b/version_0/checkpoints/best.ckpt'
    done = cli.run(['test', '--config=~/tiny.yaml', best])
    assert done.run_dir.path == runs / 'version_0'
    settings = yaml.safe_load(here.read_text())
    settings['run_dir'] = '~/a b'
    here.write_text(yaml.safe_dump(settings))
    done = cli.run(['test', f'--config={here}', '--ckpt_path=last'])
    assert done.run_dir.path == runs / 'version_1'
    assert os.listdir() == []


def test_home_folder_of_data(here, monkeypatch, tmp_path):
    monkeypatch.setenv('HOME', str(tmp_path))
    with pytest.raises(Exception, match="'root'") as error:
        cli.run(
            [
                'fit',
                '--model=GraphPredictor',
                '--data=OGBMolDataModule',
                '--data.name=ogbg-molbbbp',
                '--data.root=~/ogb',
                '--data.cache_dir=~/cache',
                '--data.download=false',
            ]
        )
    assert str(tmp_path / 'ogb') in str(error.value)
    assert os.listdir() == []


@pytest.mark.parametrize('command', ['fit', 'test'])
def test_without_checkpoints(here, command):
    arguments = [f'--config={here}', '--trainer.max_epochs=1']
    if command == 'test':
        cli.run(['fit', *arguments])
    done = cli.run(
        [command, *arguments, '--trainer.enable_checkpointing=false']
    )
    assert done.trainer.checkpoint_callbacks == []
    folder = here.parent / 'runs' / 'version_0'
    assert (folder / 'csv').is_dir()
    assert (folder / 'checkpoints').is_dir() is (command == 'test')


def test_help_starts_with_own_arguments(tmp_path):
    # Elsewhere, classes of data that tests define would be among its lines.
    process = processes.start(
        tmp_path, 'gmoe.cli', 'fit', '--help', variables={'COLUMNS': '80'}
    )
    assert process.wait(120) == 0
    lines = (tmp_path / 'stdout').read_text().splitlines()
    start = '\n'.join(lines[:140])
    for word in (
        '--run_dir',
        '--model.num_experts',
        '--data.batch_size',
        '--ckpt_path',
    ):
        assert word in start
    assert '--trainer.' not in start
    assert any('--trainer.max_epochs' in line for line in lines)
