"""Searches by a real Ray, of trials that take no time."""

import time
from types import SimpleNamespace

import pytest
import torch

from gmoe.training import BestCheckpoint
from gmoe.training.tuning import Job, Resources, Space, Study, search
from gmoe.training.tuning.work import _REPORT

pytest.importorskip('ray.tune')
pytest.importorskip('optuna')

SPACE = Space.from_dict(
    {'x': {'uniform': [-1, 1]}, 'kind': {'choice': ['good', 'bad', 'slow']}}
)


class Scored(BestCheckpoint):
    """A checkpoint with a score, and nothing saved."""

    def __init__(self, score):
        self.best_model_score = torch.tensor(score)


def fit(arguments):
    """A parabola; half of it cannot be had, or is learned badly."""
    options = dict(a.removeprefix('--').split('=') for a in arguments[1:])
    x = float(options['x'])
    if options['kind'] == 'bad':
        raise ValueError('bad settings')
    far = options['kind'] == 'slow'
    epochs = 9 if int(options['epochs']) > 1 else 1
    for epoch in range(1, epochs):
        _REPORT[0]({'score': x**2 + far + 1 / epoch, 'epochs': epoch})
        time.sleep(0.01)
    return SimpleNamespace(
        trainer=SimpleNamespace(
            checkpoint_callbacks=[Scored(x**2 + far)], current_epoch=epochs
        )
    )


def run(path, trials, epochs, grace=None):
    study = Study(path / 's', SPACE, {}, 'val/rmse', 'min')
    said = []
    job = Job((f'--epochs={epochs}',), study.folder, path)
    resources = Resources(workers=2)
    search(study, trials, job, fit, resources, grace, said.append)
    return study, said


def test_goes_on_with_more_trials(tmp_path, monkeypatch):
    # Ray's processes give way to all others.
    monkeypatch.setenv('RAY_worker_niceness', '0')
    study, said = run(tmp_path, 3, 1)
    assert len(said) == 3
    first = [trial.point for trial in study.over]
    study, said = run(tmp_path, 5, 9, grace=2)
    assert len(said) == 2
    assert [trial.point for trial in study.over[:3]] == first
    # The same points are not drawn again.
    assert len({trial.point['x'] for trial in study.over}) == 5
    best = min(
        trial.point['x'] ** 2 + (trial.point['kind'] == 'slow')
        for trial in study.over
        if trial.point['kind'] != 'bad'
    )
    assert study.best.score == pytest.approx(best)
    for trial in study.over:
        if trial.point['kind'] == 'bad':
            assert (trial.status, trial.reason) == ('failed', 'bad settings')
        elif trial.status == 'stopped':
            assert trial.epochs < 9
        else:
            assert trial.status == 'done'
    assert not (study.path / 'ray').exists()
    assert run(tmp_path, 5, 9)[1] == []
