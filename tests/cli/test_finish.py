"""A training on a table of molecules, from its first line to its last."""

from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from gmoe import cli
from tests.cli.test_checkpoints import one_error

pytest.importorskip('rdkit')
TINY = [
    '--model.hidden_channels=16',
    '--model.num_layers=2',
    '--data.features=null',
    '--model.schedule=constant',
    '--model.warmup_epochs=0',
]


@pytest.fixture(scope='module')
def freesolv(data_root: Path, tmp_path_factory) -> Path:
    """A folder with a table of real molecules, one of them damaged."""
    frame = pd.read_csv(data_root / 'ogb/ogbg_molfreesolv/mapping/mol.csv.gz')
    frame = frame.head(100)[['smiles', 'expt']]
    frame.loc[7, 'smiles'] = 'C1CC'
    folder = tmp_path_factory.mktemp('molecules')
    frame.to_csv(folder / 'hydration.csv', index=False)
    return folder


@pytest.fixture
def here(freesolv, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return freesolv / 'hydration.csv'


def test_one_command(here, capsys):
    cli.run(['fit', str(here), *TINY, '--trainer.max_epochs=1'])
    out = capsys.readouterr()
    folder = Path('runs/hydration/version_0')
    assert out.out.splitlines()[-2:] == [
        f'The run is in {folder}',
        f'Predict with it: gmoe predict {folder} new.csv',
    ]
    assert 'test/rmse' in out.out
    assert '99 of 100 molecules are kept' in out.err
    skipped = pd.read_csv(folder / 'skipped.csv')
    assert skipped.values.tolist()[0][:2] == [9, 'C1CC']
    settings = yaml.safe_load((folder / 'config.yaml').read_text())
    assert settings['data']['init_args']['path'] == str(here)
    saved = torch.load(folder / 'checkpoints/best.ckpt', weights_only=True)
    assert saved['molecules']['info']['targets'] == ['expt']
    # It goes on, and is scored again, from what it has written.
    config = f'--config={folder / "config.yaml"}'
    more = ['--ckpt_path=last', '--trainer.max_epochs=2']
    cli.run(['fit', config, *more])
    assert not Path('runs/hydration/version_1').exists()
    done = cli.run(['validate', config])
    assert done.trainer.callback_metrics['val/rmse'] > 0


def test_several_classes(here, capsys):
    frame = pd.read_csv(here)
    frame['kind'] = pd.cut(frame.pop('expt'), [-99, -6, -2, 99], labels=False)
    frame.to_csv('kinds.csv', index=False)
    cli.run(['fit', 'kinds.csv', *TINY, '--trainer.max_epochs=1'])
    out = capsys.readouterr()
    assert "multiclass classification, classes ['0', '1', '2']" in out.err
    assert 'test/accuracy' in out.out
    cli.run(['predict', 'runs/kinds/version_0', 'CCO'])
    assert 'kind' in capsys.readouterr().out


def test_no_test_scores(here, capsys):
    arguments = ['--data.score_test=false', '--trainer.max_epochs=1']
    cli.run(['fit', str(here), '--run_dir=a b', *TINY, *arguments])
    out = capsys.readouterr().out
    assert 'test/rmse' not in out
    assert "gmoe predict 'a b/version_0' new.csv" in out


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['--data.targets=exp'], ["'targets'", "'expt'", "'exp'"]),
        (['--data.split=fold'], ["'split'", "'scaffold'", "'fold'"]),
        (['--config=molecules/nope'], ["'config'", "'csv'", 'nope']),
        (['--data.features=[bits]'], ["'features'", 'descriptors', 'bits']),
        (['--data.eval_metric=rocauc'], ["'eval_metric'", 'rmse', 'rocauc']),
        (['--data.task=binary'], ['two values', "'expt'"]),
    ],
)
def test_refused_settings(arguments, words, here, refused):
    line = one_error(refused('fit', here, *arguments))
    assert all(word in line for word in words), line
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('smiles,y\nCC,1.5\nCCC,soluble\n' + 'CO,2\n' * 9, ['line 3', 'solu']),
        ('smiles,y\n' + 'CO,\n' * 12, ['none in any row']),
        ('smiles,y\n' + 'CO,1\n' * 12, ['several values']),
        ('smiles,y\nCO,1.5\nCC,2\nCN,3\n', ['10 molecules', 'got 3']),
        ('', ['first line']),
        ('smiles,y\n' + 'C1,1.5\nC2,2.5\n' * 9, ['at least 10', 'got 0']),
    ],
)
def test_refused_tables(text, words, tmp_path, monkeypatch, refused):
    monkeypatch.chdir(tmp_path)
    Path('my.csv').write_text(text)
    line = one_error(refused('fit', 'my.csv', '--data.targets=[y]'))
    assert all(word in line for word in words), line
    assert [path.name for path in Path().iterdir()] == ['my.csv']


def test_refused_files(tmp_path, monkeypatch, refused):
    monkeypatch.chdir(tmp_path)
    Path('a.csv').write_bytes(b'\x7fELF\0\0\0' * 100)
    Path('folder').mkdir()
    with open('large.csv', 'wb') as file:
        file.truncate(2 * 2**30)
    for name, word in {
        'a.csv': 'zero bytes',
        'folder': 'directory',
        'large.csv': '256 MiB',
        'none.csv': 'not there',
    }.items():
        line = one_error(refused('fit', name))
        assert word in line, line
    assert len(list(Path().iterdir())) == 3
