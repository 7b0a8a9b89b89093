"""The commands on one graph whose nodes are classified."""

from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from gmoe import cli
from gmoe.nn import GMoEConv
from gmoe.training import NodePredictor
from tests.datasets.nodes import small

CONFIGS = Path(__file__).parents[2] / 'configs' / 'node'
QUICK = [
    '--trainer.accelerator=cpu',
    '--trainer.enable_progress_bar=false',
    '--trainer.max_epochs=2',
]


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    """The configuration of a finished run on a graph of tables."""
    folder = tmp_path_factory.mktemp('nodes')
    small.write_tables(folder / 'own')
    settings = yaml.safe_load((CONFIGS / 'minesweeper-gmoe.yaml').read_text())
    settings['run_dir'] = str(folder / 'runs')
    settings['data']['init_args'] = {
        'name': str(folder / 'own'),
        'two_hop': 'exact',
    }
    settings['model']['init_args'] |= {'hidden_channels': 8, 'num_layers': 2}
    path = folder / 'node.yaml'
    path.write_text(yaml.safe_dump(settings))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('sys.argv', ['gmoe'])
        cli.run(['fit', f'--config={path}', *QUICK])
    return path


def test_fit_selects_and_scores_once(config):
    folder = config.parent / 'runs' / 'version_0'
    metrics = pd.read_csv(folder / 'csv/version_0/metrics.csv')
    assert metrics['test/accuracy'].notna().sum() == 1
    assert metrics['val/accuracy'].notna().sum() == 2
    path = folder / 'checkpoints' / 'best.ckpt'
    model = NodePredictor.load_from_checkpoint(path)
    assert model.hparams['in_channels'] == 5
    assert model.hparams['out_channels'] == 3
    assert torch.load(path, weights_only=True)['epoch'] in (0, 1)


def test_test_and_predict(config, capsys):
    best = [f'--config={config}', *QUICK[:2], '--ckpt_path=best']
    tested = cli.run(['test', *best]).trainer.callback_metrics
    cli.run(['predict', *best])
    out = capsys.readouterr().out
    path = Path(out.strip().splitlines()[-1].rpartition(' ')[2])
    table = pd.read_csv(path)
    assert len(table) == small.NUM_NODES
    report = pd.read_csv(path.parent / 'routing.csv')
    assert set(report['layer']) == {0, 1}
    nodes = report[report['by'] == 'degree'].groupby('layer')['nodes'].sum()
    assert nodes.tolist() == [small.NUM_NODES] * 2
    assert (report['experts'] == 2).all()
    assert (path.parent / 'routing.png').stat().st_size > 10_000
    assert table.columns.tolist() == [
        *('node', 'split', 'class', 'predicted'),
        *('p_blue', 'p_green', 'p_red'),
    ]
    probability = table[['p_blue', 'p_green', 'p_red']]
    assert probability.sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-5)
    test = table[table['split'] == 'test']
    accuracy = (test['class'] == test['predicted']).mean()
    assert float(tested['test/accuracy']) == pytest.approx(accuracy)


def test_training_goes_on(config):
    more = [*QUICK[:2], '--trainer.max_epochs=3', '--ckpt_path=last']
    trainer = cli.run(['fit', f'--config={config}', *more]).trainer
    assert trainer.current_epoch == 3


def test_routers_that_see_more(config, tmp_path):
    given = ['fit', f'--config={config}', *QUICK, f'--run_dir={tmp_path}']
    trainer = cli.run(
        [
            *given,
            '--data.router_input=[degree, agreement]',
            '--model.router_neighborhood=true',
            '--model.num_shared_experts=1',
            '--model.router=linear_softmax',
            '--model.top_k=null',
            '--model.router_kwargs={select: top_p, select_kwargs: {p: 0.6}}',
        ]
    ).trainer
    gnn = trainer.lightning_module.gnn
    assert gnn.convs[0].router.in_channels == 2 * 8 + 2
    assert gnn.convs[0].shared.experts.num_experts == 1
    path = trainer.checkpoint_callback.best_model_path
    model = NodePredictor.load_from_checkpoint(path)
    assert model.hparams['router_columns'] == 2


def test_refusals(config, refused):
    given = ['fit', f'--config={config}', *QUICK]
    (line,) = refused(*given, '--data.two_hop=null')
    assert "'two_hop' of the data must be" in line
    (line,) = refused(*given, '--data.split=3')
    assert "'split' must be 0, or 'random', got 3" in line
    (line,) = refused(*given, '--data.name=Kora')
    assert "'name' must be one of" in line
    (line,) = refused(*given, '--data.router_input=[rank]')
    assert "'router_input' must be one of" in line
    single = ['--model.num_experts=1', '--model.num_experts_1hop=null']
    (line,) = refused(*given, *single, '--data.router_input=[degree]')
    assert "'router_columns' must be 0 for a network without" in line
    (line,) = refused(*given, '--model=gmoe.training.GraphPredictor')
    assert 'NodeDataModule, which is of nodes' in line
    (line,) = refused(*given, '--data.metric=rmse')
    assert "'metric' must be one of" in line


@pytest.mark.parametrize('name', ['arxiv-released', 'proteins-released'])
def test_released_configurations(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    graph = f'ogbn-{name.split("-")[0]}'
    small.write_ogb(tmp_path / 'data', graph)
    steps = ['--trainer.max_epochs=1', '--model.hidden_channels=4']
    config = f'--config={CONFIGS / name}.yaml'
    trainer = cli.run(['fit', config, *QUICK[:2], *steps]).trainer
    gnn = trainer.lightning_module.gnn
    kinds = [isinstance(conv, GMoEConv) for conv in gnn.convs]
    assert kinds == [False, True, False]
    conv = gnn.convs[1]
    assert (conv.combine, conv.num_experts_2hop) == ('mean', 0)
    assert isinstance(gnn.head, torch.nn.Identity)
    assert len(gnn.skips) == 0
    assert gnn.convs[2].out_channels == gnn.out_channels
    assert 'test/loss' in trainer.callback_metrics


@pytest.mark.parametrize('name', ['minesweeper-gmoe', 'minesweeper-sage'])
def test_configurations(name, data_root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = f'--config={CONFIGS / name}.yaml'
    small_one = [f'--data.root={data_root}', '--model.hidden_channels=4']
    steps = ['--data.steps_per_epoch=1', '--trainer.max_epochs=1']
    steps += ['--model.num_layers=1']
    trainer = cli.run(['fit', config, *QUICK[:2], *steps, *small_one]).trainer
    assert trainer.callback_metrics['test/rocauc'].isfinite()
