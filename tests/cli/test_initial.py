"""A training that begins with a trained network, from the command line."""

from pathlib import Path

import pytest
import torch

from gmoe import cli
from gmoe.cli import initial
from gmoe.molecules.initial import initial_network
from tests.molecules.test_pretrain_gnns import made

pytest.importorskip('rdkit', reason="the extra 'mol' is not installed")

CHAINS = ['C' * (1 + i % 9) + ('O', 'N', 'Cl')[i % 3] for i in range(27)]
SMALL = (
    '--model.hidden_channels=4',
    '--model.learning_rate=0',
    '--model.schedule=constant',
    '--data.features=null',
    '--data.split=random',
    '--data.log=false',
    '--data.score_test=false',
    '--trainer.max_epochs=1',
    '--trainer.accelerator=cpu',
    '--trainer.enable_progress_bar=false',
)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A table, and in ``single`` a run of a network without mixtures."""
    folder = tmp_path_factory.mktemp('initial')
    rows = [f'{text},{len(text)}.5' for text in CHAINS]
    (folder / 'my.csv').write_text('\n'.join(['smiles,value', *rows]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('sys.argv', ['gmoe'])
        patch.setenv('GMOE_CACHE_DIR', str(folder / 'cache'))
        fit(folder, 'single', '--config=molecules/single')
    return folder


@pytest.fixture(autouse=True)
def cache(folder, monkeypatch):
    monkeypatch.setenv('GMOE_CACHE_DIR', str(folder / 'cache'))


def test_other_kinds(refused, tmp_path):
    config = Path(__file__).parents[2] / 'configs' / 'link' / 'ddi-gcn.yaml'
    source = tmp_path / 'gcn.pth'
    lines = refused(
        'fit',
        f'--config={config}',
        f'--run_dir={tmp_path}',
        f'--init_from={source}',
    )
    assert lines[-1].startswith(
        "gmoe: error: 'init_from' must be left out but for a GraphPredictor"
    )


def fit(folder, name, *options):
    return cli.run(
        [
            'fit',
            str(folder / 'my.csv'),
            *SMALL,
            f'--run_dir={folder / name}',
            *options,
        ]
    )


def test_experts_are_copies(folder, monkeypatch, tmp_path):
    source = folder / 'single'
    gnn = initial_network(source)
    said = []
    monkeypatch.setattr(initial, 'rank_zero_info', said.append)
    done = fit(
        folder,
        tmp_path / 'mixture',
        f'--init_from={source}',
        '--init_noise=0',
        '--model.hidden_channels=16',  # The weights say 4.
    )
    mixture = done.model.gnn
    assert mixture.hidden_channels == 4
    assert mixture.num_experts_1hop == mixture.num_experts == 4
    for conv, single in zip(mixture.convs, gnn.convs):
        weight = single.mlp[0].weight.t()
        assert torch.equal(conv.experts.weight1, weight.expand(4, -1, -1))
    # The rate is zero: the head is as it was, too.
    assert torch.equal(mixture.head[0].weight, gnn.head[0].weight)
    (line,) = said
    assert f"Begins with '{source}': 4 copies as experts" in line
    assert 'its head' in line
    # Whoever goes on has the weights of the checkpoint.
    path = tmp_path / 'mixture' / 'version_0' / 'config.yaml'
    cli.run(
        [
            'fit',
            f'--config={path}',
            '--ckpt_path=last',
            '--trainer.max_epochs=2',
        ]
    )
    assert said == [line]
    # So does the command that began it.
    again = fit(
        folder,
        tmp_path / 'mixture',
        f'--init_from={source}',
        '--init_noise=0',
        '--model.hidden_channels=16',
        '--ckpt_path=last',
        '--trainer.max_epochs=3',
    )
    assert again.model.gnn.hidden_channels == 4
    assert again.trainer.current_epoch == 3


def test_one_convolution_and_a_new_head(folder, tmp_path):
    source = folder / 'single'
    done = fit(
        folder,
        tmp_path / 'tuned',
        '--config=molecules/single',
        f'--init_from={source}',
        '--model.num_head_layers=3',
    )
    gnn = initial_network(source)
    for conv, single in zip(done.model.gnn.convs, gnn.convs):
        assert torch.equal(conv.mlp[3].weight, single.mlp[3].weight)
    assert len(done.model.gnn.head) == 5


def test_pretrained_file(folder, tmp_path):
    torch.save(made(2, 4), tmp_path / 'gcn.pth')
    done = fit(folder, tmp_path / 'gcn', f'--init_from={tmp_path / "gcn.pth"}')
    mixture = done.model.gnn
    assert mixture.num_layers == 2
    weight = made(2, 4)['gnns.1.linear.weight'].t()
    change = mixture.convs[1].experts.weight - weight
    assert 0 < change.std() < 0.03 * weight.std()


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (['--init_from=nothing'], "'init_from' must be a run's folder"),
        (['--init_noise=2'], "'init_noise' must be a number from 0 to 1"),
        (
            ['--model.router_kwargs={topk_first: false}'],
            "'router_kwargs' must be of a router whose weights at a node sum",
        ),
    ],
)
def test_refused(folder, refused, options, words, tmp_path):
    lines = refused(
        'fit',
        folder / 'my.csv',
        *SMALL,
        f'--run_dir={tmp_path}',
        f'--init_from={folder / "single"}',
        *options,
    )
    assert lines[-1].startswith(f'gmoe: error: {words}')
