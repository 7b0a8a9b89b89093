"""WebNLG from the command line, on a small release."""

import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from gmoe import cli
from gmoe.training import (
    TriplePredictor,
    WebNLGDataModule,
)
from tests.datasets.webnlg_files import BEAN, write_release
from tests.training.test_triple_predictor import SMALL

CONFIGS = Path(__file__).parents[2] / 'configs' / 'webnlg'


@pytest.fixture(scope='module')
def root(tmp_path_factory) -> Path:
    return write_release(tmp_path_factory.mktemp('release'))


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, 'argv', ['gmoe'])
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'xdg'))


@pytest.fixture(scope='module')
def config(tmp_path_factory, root) -> Path:
    """The configuration of a finished run."""
    folder = tmp_path_factory.mktemp('run')
    config = {
        'run_dir': str(folder / 'runs'),
        'trainer': {
            'max_epochs': 2,
            'accelerator': 'cpu',
            'enable_progress_bar': False,
            'enable_model_summary': False,
            'num_sanity_val_steps': 0,
        },
        'model': {
            'class_path': 'gmoe.training.TriplePredictor',
            'init_args': SMALL,
        },
        'data': {
            'class_path': 'gmoe.training.WebNLGDataModule',
            'init_args': {
                'root': str(root),
                'dim': 16,
                'mask_entities': 0.5,
                'mask_properties': 0.5,
                'cache_dir': str(folder / 'cache'),
            },
        },
    }
    path = folder / 'tiny.yaml'
    path.write_text(yaml.safe_dump(config))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, 'argv', ['gmoe'])
        cli.run(['fit', f'--config={path}'])
    return path


def best(config: Path) -> Path:
    return config.parent / 'runs/version_0/checkpoints/best.ckpt'


def test_run(config):
    folder = config.parent / 'runs' / 'version_0'
    saved = yaml.safe_load((folder / 'config.yaml').read_text())
    assert saved['model']['init_args']['conv'] == 'gin'
    (csv,) = folder.glob('csv/version_*/metrics.csv')
    table = pd.read_csv(csv)
    for name in ('weighted_f1', 'accuracy', 'macro_f1'):
        assert table[f'val/{name}'].dropna().between(0, 1).all()
    model = TriplePredictor.load_from_checkpoint(best(config))
    assert not model.training
    assert model.features == 'hashed-1-16-3-5'
    assert model.gnn.head.out_features == 16
    # Texts are not part of the network.
    assert not any('table' in name for name in model.state_dict())


def test_test(config):
    done = cli.run(['test', f'--config={config}'])
    scores = done.trainer.callback_metrics
    assert {'test/weighted_f1', 'test/accuracy'} <= set(scores)


def test_prediction(config, tmp_path):
    path = tmp_path / 'out.csv'
    cli.run(
        [
            'predict',
            f'--config={config}',
            '--trainer.callbacks=gmoe.training.PredictionWriter',
            f'--trainer.callbacks.path={path}',
        ]
    )
    table = pd.read_csv(path)
    assert table['category'].tolist() == ['Food', 'Airport', 'Airport']
    assert table['split'].tolist() == ['test'] * 3
    assert table.columns[4:].size == 16
    assert ((table.iloc[:, 4:].sum(axis=1) - 1).abs() < 1e-5).all()


def test_prediction_of_new_triples(config, tmp_path, capsys):
    # One of training, and one whose texts training does not have.
    file = tmp_path / 'triples.txt'
    file.write_text('\n'.join([*BEAN, '', 'Nobody | wrote | "Nothing"']))
    done = cli.run(
        [
            'predict',
            f'--config={config}',
            f'--data.triples={file}',
            f'--data.root={tmp_path / "nothing"}',
        ]
    )
    out = capsys.readouterr().out
    assert 'graph 0: ' in out
    assert 'graph 1: ' in out
    data = WebNLGDataModule(config.parent.parent / 'x', dim=16, triples=file)
    data.setup('predict')
    model = done.model.eval()
    (batch,) = [
        data.on_after_batch_transfer(b, 0) for b in data.predict_dataloader()
    ]
    new, _ = model(batch)
    # The same graph among those of the release, with other codes.
    release = WebNLGDataModule(
        yaml.safe_load(config.read_text())['data']['init_args']['root'], dim=16
    )
    release.setup()
    tables = release.dataset.node_table, release.dataset.property_table
    model.gnn.set_tables(*tables)
    batch = release.dataset.take([1])
    old, _ = model(release.on_after_batch_transfer(batch, 0))
    assert torch.allclose(new[:1], old, atol=1e-5)


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        (None, 'which is not there'),
        ('A | b | \u00c9'.encode('latin-1'), 'must be text in UTF-8'),
        (b'A | b', "line 1: a triple must be of the form 'subject"),
        (b'', 'at least one triple'),
    ],
)
def test_refused_triples(
    config, tmp_path, capsys, monkeypatch, content, words
):
    file = tmp_path / 'triples.txt'
    if content is not None:
        file.write_bytes(content)
    arguments = ['predict', f'--config={config}', f'--data.triples={file}']
    monkeypatch.setattr(sys, 'argv', ['gmoe', *arguments])
    with pytest.raises(SystemExit) as status:
        cli.main()
    assert status.value.code == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith('gmoe: error: ')
    assert words in message
    assert str(file) in message


def test_other_features_are_refused(config):
    with pytest.raises(ValueError, match="'features' of the data must be"):
        cli.run(
            [
                'test',
                f'--config={config}',
                '--data.dim=16',
                '--data.features=encoder',
                '--data.encoder=offline',
            ]
        )


def test_linear_schedule_ends_where_it_did(config):
    saved = config.parent / 'runs' / 'version_0' / 'config.yaml'
    before = saved.read_text()
    more = ['fit', f'--config={config}', '--ckpt_path=last']
    with pytest.raises(ValueError, match="linear 'schedule' has"):
        cli.run([*more, '--trainer.max_epochs=3'])
    assert saved.read_text() == before


def test_tasks_and_classes_are_those_of_the_dataset(root):
    data = WebNLGDataModule(root, dim=16)
    data.setup()
    for name in ('num_tasks', 'num_classes', 'task_type', 'eval_metric'):
        assert getattr(data, name) == getattr(data.dataset, name), name
    assert (data.num_tasks, data.num_classes, data.num_outputs) == (1, 16, 16)


def test_holdout_has_no_test(root):
    data = WebNLGDataModule(root, dim=16, holdout=0)
    data.setup()
    data.val_dataloader()
    with pytest.raises(ValueError, match="'holdout' must be None"):
        data.test_dataloader()


@pytest.mark.parametrize('argument', ['mask_entities', 'mask_properties'])
def test_shares_are_refused_by_their_names(argument):
    message = rf"'{argument}' must be in \[0, 1\], got 2"
    with pytest.raises(ValueError, match=message):
        WebNLGDataModule(**{argument: 2})


def test_names_are_hidden_in_training_only(root):
    class Trainer:
        training = True

    data = WebNLGDataModule(
        root, dim=16, mask_entities=1.0, mask_properties=1.0, two_hop=None
    )
    data.setup()
    batch = data.on_after_batch_transfer(data.dataset.take([0, 1]), 0)
    assert batch.x[batch.node_type == 0, 0].all()
    data.trainer = Trainer()
    batch = data.on_after_batch_transfer(data.dataset.take([0, 1]), 0)
    assert not batch.x[batch.node_type == 0, 0].any()
    assert not batch.edge_attr[:, 0].any()


@pytest.mark.parametrize('path', sorted(CONFIGS.glob('*.yaml')))
def test_configurations(path, root, tmp_path):
    arguments = [
        f'--config={path}',
        f'--data.root={root}',
        f'--run_dir={tmp_path}',
        '--data.features=hashed',
        '--data.dim=16',
        '--trainer.max_epochs=1',
        '--trainer.accelerator=cpu',
        '--trainer.enable_progress_bar=false',
    ]
    done = cli.run(['fit', *arguments])
    assert 'val/weighted_f1' in done.trainer.callback_metrics
