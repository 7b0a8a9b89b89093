"""The work of one trial."""

import json
from types import SimpleNamespace

import pytest
from filelock import Timeout

from gmoe import cli
from gmoe.common.files import lock
from gmoe.training import TrainingDivergedError
from gmoe.training.tuning import Job, as_options
from gmoe.training.tuning.work import work
from tests.training import tiny


@pytest.fixture
def job(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # Put back in the end.
    config = tiny.write_config(tmp_path)
    arguments = (f'--config={config}', '--trainer.max_epochs=2')
    return Job(arguments, tmp_path / 'trials', tmp_path, by_epoch=True)


def test_once(job, monkeypatch):
    monkeypatch.setattr('sys.argv', ['gmoe'])
    told = []
    settings = {'model.dropout': 0.2, 'model.moe_layers': None}
    outcome = work(job, 'a', settings, cli.run, told.append)
    assert outcome['epochs'] == 2
    assert [t['epochs'] for t in told] == [1]
    assert told[0]['score'] <= outcome['score'] <= 1
    path = job.trials / 'a'
    assert (path / 'version_0' / 'checkpoints' / 'best.ckpt').exists()
    # Another time, it is not run.
    assert work(job, 'a', {}, None, None) == outcome
    # One that was killed goes on, here behind its last epoch.
    (path / 'outcome.json').unlink()
    assert work(job, 'a', settings, cli.run, told.append) == outcome
    assert [p.name for p in path.glob('version_*')] == ['version_0']


def test_failures(job):
    def diverge(arguments):
        raise TrainingDivergedError('training diverged\nat epoch 0')

    for fit in (diverge, None):  # Another time, it is not run.
        outcome = work(job, 'b', {}, fit, None)
        assert outcome == {'reason': 'training diverged at epoch 0'}
    assert 'Traceback' in (job.trials / 'b' / 'error.txt').read_text()

    def no_score(arguments):
        trainer = SimpleNamespace(checkpoint_callbacks=[], current_epoch=3)
        return SimpleNamespace(trainer=trainer)

    outcome = work(job, 'c', {}, no_score, None)
    assert outcome == {'reason': 'its score is not defined on validation'}


def test_one_process_at_a_time(job, monkeypatch):
    monkeypatch.setattr('gmoe.training.tuning.work._PATIENCE', 0.1)
    (job.trials / 'd').mkdir(parents=True)
    path = job.trials / 'd' / 'lock'
    with path.open('w') as file:
        assert lock(file.fileno(), path)
        with pytest.raises(Timeout):
            work(job, 'd', {}, None, None)
    assert not (job.trials / 'd' / 'outcome.json').exists()
    # However its process has ended.
    assert 'reason' in work(job, 'd', {}, None, None)


def test_options():
    options = as_options({'a.b': 'gcn', 'c': None, 'd': 0.1, 'e': [1, 2]})
    assert options == ['--a.b=gcn', '--c=null', '--d=0.1', '--e=[1, 2]']
    assert json.loads(options[3].partition('=')[2]) == [1, 2]
