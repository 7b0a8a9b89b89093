"""The folder of a search."""

import pandas as pd
import pytest

from gmoe.training.tuning import Space, Study

SPACE = Space.from_dict({'model.width': {'choice': [4, 8]}})
SETTINGS = {'model.width': 8, 'data.path': 'a.csv'}


def make(path, **kwargs):
    arguments = {
        'space': SPACE,
        'configuration': SETTINGS,
        'monitor': 'val/rmse',
        'mode': 'min',
    }
    return Study(path / 'study', **{**arguments, **kwargs})


def end(study, point, score):
    trial = study.begin(point)
    checkpoints = study.folder / trial.name / 'version_0' / 'checkpoints'
    checkpoints.mkdir(parents=True)
    trial.status = 'failed' if score is None else 'done'
    trial.score = score
    study.end(trial)
    return checkpoints


def test_goes_on(tmp_path):
    study = make(tmp_path)
    assert study.waiting() == [{'model.width': 8}]  # The configuration itself.
    worst = end(study, {'model.width': 8}, 2.0)
    end(study, {'model.width': 4}, None)
    best = end(study, {'model.width': 4}, 1.0)
    assert best.exists()
    assert not worst.exists()
    interrupted = study.begin({'model.width': 4})

    again = make(tmp_path)
    assert [trial.name for trial in again.over] == [
        'trial_000',
        'trial_001',
        'trial_002',
    ]
    assert again.best.name == 'trial_002'
    assert again.waiting() == [{'model.width': 4}]
    assert again.begin({'model.width': 4}).name == interrupted.name
    assert again.begin({'model.width': 4}).name == 'trial_004'
    table = pd.read_csv(again.table)
    assert table['status'].tolist() == ['done', 'failed', 'done']
    path = again.write_best('a: 1\n', again.best)
    assert path.read_text().splitlines()[1] == '# trial_002: val/rmse 1'


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            {'configuration': {**SETTINGS, 'data.path': 'b.csv'}},
            "'configuration.data.path' 'a.csv', got 'b.csv'",
        ),
        ({'seed': 1}, "'seed' 0, got 1"),
        (
            {'space': Space.from_dict({'model.width': {'choice': [4]}})},
            "'space.model.width.choice'",
        ),
    ],
)
def test_another_search(tmp_path, change, message):
    make(tmp_path)
    make(tmp_path, configuration={**SETTINGS, 'model.width': 4})
    with pytest.raises(ValueError, match=message):
        make(tmp_path, **change)


def test_other_folders(tmp_path):
    (tmp_path / 'study').mkdir()
    (tmp_path / 'study' / 'letter.txt').write_text('')
    with pytest.raises(ValueError, match='which holds something else'):
        make(tmp_path)
    (tmp_path / 'study' / 'study.json').write_text('{')
    with pytest.raises(ValueError, match='cannot be read'):
        make(tmp_path)


def test_one_at_a_time(tmp_path):
    study = make(tmp_path)
    study.begin({'model.width': 8})
    message = 'no other process'
    with (
        study.locked(),
        pytest.raises(ValueError, match=message),
        make(tmp_path).locked(),
    ):
        pass
    with study.locked():
        pass
    assert study.path.exists()


def test_no_trial_leaves_nothing(tmp_path):
    with make(tmp_path).locked():
        pass
    assert not any(tmp_path.iterdir())
