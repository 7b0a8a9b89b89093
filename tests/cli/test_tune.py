"""``gmoe tune``: searches that are killed, stopped, finished and refused."""

import json
import signal
import sys
import time

import pandas as pd
import pytest
import yaml

from gmoe import cli
from gmoe.cli import tune
from tests import processes
from tests.training import tiny

pytest.importorskip('ray.tune')
pytest.importorskip('optuna')

#: The greatest rate makes any training diverge.
SPACE = {
    'model.learning_rate': {'choice': [0.001, 1e30]},
    'experts': {
        'choice': [
            {'model.num_experts': 4, 'model.top_k': 2},
            {'model.num_experts': 2, 'model.top_k': 1},
        ]
    },
}


@pytest.fixture
def held(tmp_path):
    """The file that holds trainings as long as it is there."""
    return tmp_path / 'held'


@pytest.fixture
def command(tmp_path, held):
    config = tiny.write_config(tmp_path)
    settings = yaml.safe_load(config.read_text())
    settings['trainer']['callbacks'] = [
        {
            'class_path': 'tests.training.tiny.Held',
            'init_args': {'file': str(held)},
        }
    ]
    config.write_text(yaml.safe_dump(settings))
    space = tmp_path / 'space.yaml'
    space.write_text(yaml.safe_dump(SPACE))
    options = ['--space', space, '--trainer.max_epochs', 4, '--workers', 1]
    return ['tune', '--config', config, *options]


def start(tmp_path, command, trials):
    return processes.start(
        tmp_path,
        'gmoe.cli',
        *command,
        '--trials',
        trials,
        # Ray's processes give way to all others.
        variables={'RAY_worker_niceness': '0'},
    )


def wait_for(path, process):
    end = time.monotonic() + 300
    while not path.exists():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.01)


def test_killed_and_stopped(tmp_path, command, held):
    held.touch()
    study = tmp_path / 'runs-tune'
    names = [f'trial_{i:03d}' for i in range(4)]
    first = study / 'trials' / names[0]
    for number, ending in enumerate([signal.SIGKILL, signal.SIGINT]):
        process = start(tmp_path, command, 1)
        # Each part of a run has a log, in which there is an epoch by then.
        log = first / f'version_0/csv/version_{number}/metrics.csv'
        wait_for(log, process)
        wait_for(first / 'version_0/checkpoints/last.ckpt', process)
        process.send_signal(ending)
        code = process.wait(120)
        assert code == (-9 if ending == signal.SIGKILL else 130)
        assert json.loads((first / 'trial.json').read_text())['epochs'] == 0
    stopped = (tmp_path / 'stderr').read_text()
    assert 'stopped after 0 of 1 trials: the same command' in stopped

    held.unlink()
    process = start(tmp_path, command, 4)
    assert process.wait(300) == 0, (tmp_path / 'stderr').read_text()
    # What was interrupted went on in its folder.
    assert [p.name for p in first.glob('version_*')] == ['version_0']
    assert len(list(first.glob('version_0/csv/version_*'))) == 3
    table = pd.read_csv(study / 'trials.csv')
    assert table['trial'].tolist() == names
    failed = table[table['status'] == 'failed']
    assert (failed['model.learning_rate'] == 1e30).all()
    assert failed['reason'].str.startswith('training diverged at').all()
    done = table[table['status'] == 'done']
    assert (done['model.learning_rate'] == 0.001).all()
    assert set(done['epochs']) == {4}
    said = (tmp_path / 'stdout').read_text().splitlines()
    (count,) = [line for line in said if line.startswith('4 trials: ')]
    assert f'4 trials: {len(done)} with a score' in count
    assert f'{len(failed)} failed' in count
    assert said[-1] == f'gmoe fit --config {study / "best.yaml"}'
    assert not (tmp_path / 'runs').exists()

    # The best configuration is whole: its training has the same score.
    best = cli.run(['fit', '--config', str(study / 'best.yaml')])
    assert best.trainer.max_epochs == 4
    score = best.config_init['fit'].checkpoint.best_model_score
    assert float(score) == pytest.approx(done['score'].max(), abs=1e-6)
    assert (tmp_path / 'runs' / 'version_0' / 'config.yaml').exists()


@pytest.mark.parametrize(
    ('space', 'message'),
    [
        (
            {'model.hidden_channel': {'choice': [8]}},
            "'--model.hidden_channel' is not an argument: did you mean "
            "'--model.hidden_channels'?",
        ),
        (
            {'model.num_layers': {'randint': [-3, -1]}},
            "'num_layers' must be an integer >= 1, got -3",
        ),
        (
            {'model.conv': 'gcn'},
            "'model.conv' of the space must be one of choice, uniform, "
            'loguniform, randint with a list, such as {uniform: [0, 0.5]}, '
            "got 'gcn'",
        ),
    ],
)
def test_space_is_refused(tmp_path, command, refused, space, message):
    (tmp_path / 'space.yaml').write_text(yaml.safe_dump(space))
    assert refused(*command) == [f'gmoe: error: {message}']
    assert {p.name for p in tmp_path.iterdir()} == {'space.yaml', 'tiny.yaml'}


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--trials', '0'], "'trials' must be an integer >= 1, got 0"),
        (['--trials', 'x'], 'argument --trials: invalid int value'),
        (['--asha', '0'], "'asha' must be an integer >= 1, got 0"),
        (['--seed', '-1'], "'seed' must be an integer >= 0, got -1"),
        (['--space', 'none.yaml'], "'space' must be a file of settings"),
        (['--config', 'none.yaml'], "'config' must be a file of settings"),
        (['--modle', '3'], "'--modle' is not an argument"),
        (['--ensemble', '2'], "'ensemble' must be left out of a search"),
        (['--ckpt_path=last'], "'ckpt_path' must be left out of a search"),
        (['--init_from=runs/my'], "'init_from' must be left out of a search"),
    ],
)
def test_options_are_refused(tmp_path, command, refused, options, message):
    (line,) = refused(*command, *options)
    assert line.startswith(f'gmoe: error: {message}')
    assert {p.name for p in tmp_path.iterdir()} == {'space.yaml', 'tiny.yaml'}


def test_without_ray(command, refused, monkeypatch):
    for name in [n for n in sys.modules if n.partition('.')[0] == 'ray']:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, 'ray', None)
    (line,) = refused(*command)
    assert line.endswith("is not installed: pip install 'gmoe[cluster]'")


def test_no_cluster_leaves_nothing(tmp_path, command, refused):
    (line,) = refused(*command, '--ray.address', 'nowhere')
    assert "'ray.address' must be 'local', 'auto' or the address" in line
    assert {p.name for p in tmp_path.iterdir()} == {'space.yaml', 'tiny.yaml'}


def test_a_study_of_other_settings(tmp_path, command, refused, monkeypatch):
    def begin(study, *args):
        study.begin(study.start)
        raise KeyboardInterrupt

    monkeypatch.setattr(tune, 'search', begin)
    with pytest.raises(SystemExit):
        tune.main([*map(str, command[1:])])
    *_, line = refused(*command, '--data.batch_size', '4')
    assert "has 'configuration.data.batch_size' 8, got 4" in line
    (line,) = refused(*command, '--study', tmp_path)
    assert 'which holds something else' in line


def test_a_table(tmp_path, monkeypatch):
    """Its first argument may be a table, as of ``gmoe fit``."""
    pytest.importorskip('rdkit')
    monkeypatch.chdir(tmp_path)
    rows = [f'{"C" * n}O,{n * n % 17}.5' for n in range(1, 31)]
    (tmp_path / 'own.csv').write_text('\n'.join(['smiles,boils', *rows]))
    found = []
    monkeypatch.setattr(tune, 'search', lambda *args: found.append(args))
    with pytest.raises(IndexError):  # There is no trial.
        tune.main(['own.csv', '--trials', '2', '--data.split', 'random'])
    ((study, trials, job, *_),) = found
    assert (study.monitor, study.mode, trials) == ('val/rmse', 'min', 2)
    assert study.start is not None
    assert job.arguments[:3] == ('own.csv', '--data.split', 'random')
    assert '--data.score_test=false' in job.arguments
