"""The commands on one graph whose missing edges are to be found."""

from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from gmoe import cli
from gmoe.training import LinkPredictor
from tests.datasets.links import small

CONFIGS = Path(__file__).parents[2] / 'configs' / 'link'
QUICK = [
    '--trainer.accelerator=cpu',
    '--trainer.enable_progress_bar=false',
    '--trainer.max_epochs=2',
]


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    """The configuration of a finished run on a table of edges."""
    folder = tmp_path_factory.mktemp('links')
    small.write_table(folder / 'own.csv')
    settings = yaml.safe_load((CONFIGS / 'ddi-gmoe.yaml').read_text())
    settings['run_dir'] = str(folder / 'runs')
    settings['data']['init_args'] = {'name': str(folder / 'own.csv')}
    settings['model']['init_args'] |= {'hidden_channels': 8}
    path = folder / 'link.yaml'
    path.write_text(yaml.safe_dump(settings))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('sys.argv', ['gmoe'])
        cli.run(['fit', f'--config={path}', *QUICK])
    return path


def test_fit_selects_and_scores_once(config):
    folder = config.parent / 'runs' / 'version_0'
    metrics = pd.read_csv(folder / 'csv/version_0/metrics.csv')
    assert metrics['test/rocauc'].notna().sum() == 1
    assert metrics['val/rocauc'].notna().sum() == 2
    path = folder / 'checkpoints' / 'best.ckpt'
    model = LinkPredictor.load_from_checkpoint(path)
    assert model.hparams['num_nodes'] == small.NUM_NODES
    assert model.hparams['in_channels'] is None
    assert torch.load(path, weights_only=True)['epoch'] in (0, 1)


def written(capsys):
    out = capsys.readouterr().out
    return pd.read_csv(out.strip().splitlines()[-1].rpartition(' ')[2])


def test_test_and_predict(config, capsys):
    best = [f'--config={config}', *QUICK[:2], '--ckpt_path=best']
    tested = cli.run(['test', *best]).trainer.callback_metrics
    cli.run(['predict', *best])
    table = written(capsys)
    assert table.columns.tolist() == [
        *('source', 'target', 'split', 'link', 'probability'),
    ]
    assert set(table['split']) == {'test'}
    links = table['probability'][table['link'] == 1].to_numpy()
    others = table['probability'][table['link'] == 0].to_numpy()
    assert (len(links), len(others)) == (3, 2)
    right = (links[:, None] > others).mean()
    assert float(tested['test/rocauc']) == pytest.approx(right)
    pairs = config.parent / 'pairs.csv'
    pairs.write_text('source,target\nn00,n06\nn05,n00\n')
    cli.run(['predict', *best, f'--data.pairs={pairs}'])
    table = written(capsys)
    assert table['source'].tolist() == ['n00', 'n05']
    assert table['link'].isna().all()
    assert table['probability'].between(0, 1).all()


def test_training_goes_on(config):
    more = [*QUICK[:2], '--trainer.max_epochs=3', '--ckpt_path=last']
    trainer = cli.run(['fit', f'--config={config}', *more]).trainer
    assert trainer.current_epoch == 3


def test_refusals(config, refused):
    given = ['fit', f'--config={config}', *QUICK]
    (line,) = refused(*given, '--model.num_experts_1hop=2')
    assert "'two_hop' of the data must be" in line
    (line,) = refused(*given, '--data.name=ogbl-dd')
    assert "'name' must be one of" in line
    (line,) = refused(*given, '--model=gmoe.training.NodePredictor')
    assert "'data' must be of nodes, as gmoe.training.NodePredictor" in line
    (line,) = refused(*given, '--data.metric=rmse')
    assert "'metric' must be one of" in line
    (line,) = refused(*given, '--model.num_nodes=13')
    assert "'model.num_nodes' must be '12', as the data have it" in line
    leak = config.parent / 'leak.csv'
    small.write_table(leak)
    with leak.open('a') as file:
        file.write('n01,n00,test,1\n')
    (line,) = refused(*given, f'--data.name={leak}')
    assert "'test' must hold links that are not in the graph" in line


@pytest.mark.parametrize('name', ['ddi-gmoe', 'ddi-gcn'])
def test_configurations(name, tmp_path, monkeypatch):
    small.write_ogb(tmp_path)
    monkeypatch.chdir(tmp_path)
    config = f'--config={CONFIGS / name}.yaml'
    small_one = ['--data.root=.', '--model.hidden_channels=4']
    trainer = cli.run(['fit', config, *QUICK, *small_one]).trainer
    assert trainer.callback_metrics['test/hits@20'] == 1
    assert trainer.gradient_clip_val == 0.5
