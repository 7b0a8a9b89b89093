"""The command line, on the embedded dataset and on real molecules."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

import gmoe
from gmoe import cli
from gmoe.training import GraphPredictor
from tests.training import tiny

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / 'configs' / 'ogb'


def weights(folder, name='last'):
    path = folder / 'checkpoints' / f'{name}.ckpt'
    return torch.load(path, weights_only=True)['state_dict']


def assert_same_weights(a, b):
    assert list(a) == list(b)
    for name, value in a.items():
        assert torch.equal(value, b[name])


def test_what_a_run_leaves(finished):
    assert list(finished.glob('events.out.tfevents.*'))
    names = {path.name for path in (finished / 'checkpoints').iterdir()}
    assert names == {'best.ckpt', 'last.ckpt'}
    table = tiny.logged(finished)
    assert table.index.tolist() == [0, 1]
    for column in ('train/task_loss', 'train/balance_loss', 'val/acc'):
        assert table[column].notna().all()
    for layer in range(2):
        usage = table.filter(like=f'expert_usage/layer{layer}/')
        assert ((usage.sum(axis=1) - 1).abs() < 1e-6).all()


def test_files_name_what_later_versions_have(finished):
    path = finished / 'checkpoints' / 'last.ckpt'
    saved = torch.load(path, weights_only=True)
    name = saved['hyper_parameters']['_class_path']
    assert name == 'gmoe.training.GraphPredictor'
    assert {key.partition('{')[0] for key in saved['callbacks']} == {
        'EpochSeed',
        'LastCheckpoint',
        'ModelCheckpoint',
        'RunSettings',
    }
    settings = yaml.safe_load((finished / 'config.yaml').read_text())
    classes = [settings[key]['class_path'] for key in ('model', 'data')]
    assert classes == [name, 'gmoe.training.HopMixtureDataModule']


def test_configuration_reproduces_the_run(finished, tmp_path):
    saved = finished / 'config.yaml'
    settings = yaml.safe_load(saved.read_text())
    assert settings['seed_everything'] == 5
    assert settings['model']['init_args']['top_k'] == 2
    done = cli.run(['fit', f'--config={saved}', f'--run_dir={tmp_path}'])
    again = tmp_path / 'version_0'
    first = done.trainer.checkpoint_callback
    assert first.best_model_path == str(again / 'checkpoints' / 'best.ckpt')
    assert first.best_model_score == tiny.logged(again)['val/acc'].max()
    assert_same_weights(weights(finished), weights(again))
    assert tiny.logged(finished).equals(tiny.logged(again))
    assert len(list(finished.parent.iterdir())) == 1


def test_checkpoint_of_the_command_line_loads(finished):
    path = finished / 'checkpoints' / 'best.ckpt'
    model = GraphPredictor.load_from_checkpoint(path, weights_only=True)
    assert model.gnn.num_experts == 4
    assert model.hparams['dataset'] == 'hop-mixture'
    assert_same_weights(model.state_dict(), weights(finished, 'best'))


@pytest.mark.parametrize('ckpt_path', [None, 'best', 'last', 'path'])
def test_evaluation(config, finished, ckpt_path):
    arguments = [f'--config={config}']
    if ckpt_path == 'path':
        path = finished / 'checkpoints' / 'best.ckpt'
        arguments.append(f'--ckpt_path={path}')
    elif ckpt_path is not None:
        arguments.append(f'--ckpt_path={ckpt_path}')
    name = 'last' if ckpt_path == 'last' else 'best'
    done = cli.run(['validate', *arguments])
    assert_same_weights(done.model.state_dict(), weights(finished, name))
    curve = tiny.logged(finished)['val/acc']
    expected = curve.iloc[-1] if name == 'last' else curve.max()
    score = float(done.trainer.callback_metrics['val/acc'])
    assert score == pytest.approx(expected)
    done = cli.run(['test', *arguments])
    assert 0 <= done.trainer.callback_metrics['test/acc'] <= 1
    assert len(list(finished.parent.iterdir())) == 1


@pytest.mark.parametrize('split', ['test', 'all'])
def test_prediction(config, finished, split):
    done = cli.run(
        ['predict', f'--config={config}', f'--data.predict_split={split}']
    )
    assert_same_weights(done.model.state_dict(), weights(finished, 'best'))
    table = pd.read_csv(finished / 'predictions.csv')
    expected = list(range(60)) if split == 'all' else list(range(54, 60))
    assert table['graph_id'].tolist() == expected
    assert set(table['split']) == (
        {'train', 'valid', 'test'} if split == 'all' else {'test'}
    )
    assert table['prediction_0'].between(0, 1).all()
    done.model.eval()
    with torch.no_grad():
        for batch in done.datamodule.test_dataloader():
            out, _ = done.model(done.datamodule.two_hop(batch))
            rows = table.set_index('graph_id').loc[batch.graph_id.tolist()]
            slow = torch.tensor(rows['prediction_0'].to_numpy())
            assert torch.allclose(out.sigmoid().view(-1).double(), slow)
            assert rows['target_0'].tolist() == batch.y.view(-1).tolist()


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['--model.top_k=5'], ['top_k', 'num_experts=4', 'got 5']),
        (['--data.two_hop=null'], ['two_hop', "'exact'", 'got None']),
        (['--data.batch_size=0'], ['batch_size', '>= 1', 'got 0']),
        (['--data.drop_nodes=1.0'], ['[0, 1)', 'got 1.0']),
        (['--model.learning_rate=-1'], ['learning_rate', '0', 'got -1']),
        (['--ckpt_path=last'], ['ckpt_path', "'last'", 'gmoe fit']),
        (['--ckpt_path=nope.ckpt'], ['ckpt_path', "'best'", 'nope.ckpt']),
    ],
)
def test_refusals(refused, tmp_path, arguments, words):
    config = tiny.write_config(tmp_path)
    message = refused('fit', '--config', config, *arguments)[-1]
    assert message.startswith('gmoe: error: ')
    for word in words:
        assert word in message
    assert not (tmp_path / 'runs').exists()


def test_refused_dataset(refused, tmp_path):
    arguments = [
        'fit',
        f'--config={CONFIGS / "molbbbp-gmoe-gcn.yaml"}',
        f'--run_dir={tmp_path / "runs"}',
        f'--data.root={tmp_path}',
        '--data.download=false',
    ]
    message = refused(*arguments)[-1]
    assert message.startswith("gmoe: error: 'root'")
    assert str(tmp_path) in message
    message = refused(*arguments, '--data.name=ogbg-molnope')[-1]
    assert 'ogbg-molhiv' in message
    assert 'ogbg-molnope' in message
    assert not (tmp_path / 'runs').exists()


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['fit', '--foo=1'], ['not an argument', '--foo']),
        (['fit', '--config=nope.yaml'], ['nope.yaml']),
        (['fit', '--data=Nope'], ['Nope']),
        (['learn'], ['the command must be', "got 'learn'"]),
        ([], ['fit, validate, test, predict, export', 'tune', 'got none']),
        (['fit'], ['gmoe fit my.csv, or --config FILE']),
        (['test'], ["'gmoe test' must be given --config FILE"]),
        (['predict'], ['gmoe predict RUN new.csv']),
        (['info', '--foo'], ['not an argument', '--foo']),
    ],
)
def test_wrong_usage(refused, arguments, words):
    (line,) = refused(*arguments)
    assert line.startswith('gmoe: error: ')
    for word in words:
        assert word in line


def test_wrong_type(refused, config):
    message = ' '.join(
        refused('fit', f'--config={config}', '--data.two_hop=sometimes')
    )
    for word in ('two_hop', 'sometimes', "'exact', 'released'"):
        assert word in message


def test_mistakes_keep_their_traceback(tmp_path, monkeypatch):
    config = tiny.write_config(tmp_path)
    arguments = ['gmoe', 'fit', f'--config={config}']
    broken = '--trainer.callbacks+=tests.training.tiny.Broken'
    monkeypatch.setattr(sys, 'argv', [*arguments, broken])
    with pytest.raises(ValueError, match='a mistake'):
        cli.main()
    monkeypatch.setattr(sys, 'argv', [*arguments, '--model.top_k=5'])
    monkeypatch.setenv('GMOE_DEBUG', '1')
    with pytest.raises(ValueError, match='top_k'):
        cli.main()


def test_info(capsys):
    assert cli.run(['info']) is None
    out = capsys.readouterr().out
    assert gmoe.__version__ in out
    assert torch.__version__ in out


def test_printed_configuration(capsys):
    with pytest.raises(SystemExit) as error:
        cli.run(
            [
                'fit',
                f'--config={CONFIGS / "molhiv-gmoe-gcn.yaml"}',
                '--model.top_k=2',
                '--print_config',
            ]
        )
    assert not error.value.code
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed['model']['init_args']['top_k'] == 2
    assert printed['data']['init_args']['name'] == 'ogbg-molhiv'


def test_installed_command():
    command = Path(sys.executable).with_name('gmoe')
    help_text = subprocess.run(
        [command, '--help'],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env={**os.environ, 'COLUMNS': '80'},
    ).stdout
    for word in ('fit', 'validate', 'test', 'predict', 'info'):
        assert word in help_text


@pytest.mark.parametrize(
    ('config', 'overrides', 'metric', 'num_tasks'),
    [
        ('molbbbp-gmoe-gcn', [], 'rocauc', 1),
        ('molfreesolv-gmoe-gcn', [], 'rmse', 1),
        (
            'molbbbp-gmoe-gcn',
            [
                '--data.name=ogbg-moltox21',
                '--model.conv=gin',
                '--model.num_experts_1hop=4',
            ],
            'rocauc',
            12,
        ),
    ],
)
def test_molecules(data_root, tmp_path, config, overrides, metric, num_tasks):
    arguments = [
        f'--config={CONFIGS / config}.yaml',
        f'--run_dir={tmp_path}',
        f'--data.root={data_root / "ogb"}',
        f'--data.cache_dir={tmp_path / "cache"}',
        '--data.download=false',
        '--model.hidden_channels=16',
        '--model.num_layers=2',
        '--trainer.enable_progress_bar=false',
        *overrides,
    ]
    limits = [
        '--trainer.max_epochs=1',
        '--trainer.limit_train_batches=3',
    ]
    done = cli.run(['fit', *arguments, *limits])
    assert len(list((tmp_path / 'cache').iterdir())) == 1
    table = tiny.logged(tmp_path / 'version_0')
    assert table[f'val/{metric}'].notna().all()
    assert table[f'test_curve/{metric}'].notna().all()

    predicted = cli.run(['predict', *arguments])
    table = pd.read_csv(tmp_path / 'version_0' / 'predictions.csv')
    data = predicted.datamodule
    assert table['graph_id'].tolist() == sorted(data.splits['test'].tolist())
    row = table.iloc[0]
    assert row['smiles'] == data.dataset.smiles(int(row['graph_id']))
    predictions = table.filter(like='prediction_').to_numpy()
    targets = table.filter(like='target_').to_numpy()
    assert predictions.shape == targets.shape == (len(table), num_tasks)
    if metric == 'rocauc':
        assert ((predictions >= 0) & (predictions <= 1)).all()
    if num_tasks == 12:
        assert pd.isna(targets).any()
    # What the test of the best checkpoint says is what the table says.
    score = done.model.splits['test'].score
    score.reset()
    score.update(
        torch.tensor(predictions),
        torch.tensor(targets),
        torch.tensor(table['graph_id'].to_numpy()),
    )
    curve = done.trainer.callback_metrics[f'test_curve/{metric}']
    assert float(score.compute()[metric]) == pytest.approx(
        float(curve), abs=1e-5
    )
