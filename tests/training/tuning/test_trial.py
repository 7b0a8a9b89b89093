"""Records of trials."""

import pandas as pd
import pytest

from gmoe.training.tuning.trial import (
    Trial,
    best_trial,
    read_trials,
    write_table,
)


def trials():
    return [
        Trial('trial_000', {'a': 1}, {'a': 1}, 'done', 0.5, 4, 1.0),
        Trial('trial_001', {'a': 2}, {'a': 2}, 'failed', reason='it, "is"'),
        Trial('trial_002', {'a': 3}, {'a': 3}, 'stopped', 0.7, 2, 1.5),
        Trial('trial_003', {'a': 4}, {'a': 4}),
    ]


def test_written_and_read(tmp_path):
    for trial in reversed(trials()):
        trial.write(tmp_path)
    assert read_trials(tmp_path) == trials()
    (tmp_path / 'trial_001' / 'trial.json').write_text('{"nam')
    with pytest.raises(ValueError, match='no record of a trial'):
        read_trials(tmp_path)


def test_the_order_is_that_of_numbers(tmp_path):
    names = ['trial_002', 'trial_999', 'trial_1000']
    for name in names:
        Trial(name, {'a': 1}).write(tmp_path)
    assert [trial.name for trial in read_trials(tmp_path)] == names


def test_best():
    assert best_trial(trials(), 'max').name == 'trial_002'
    assert best_trial(trials(), 'min').name == 'trial_000'
    assert best_trial(trials()[1:2], 'min') is None


def test_table(tmp_path):
    write_table(tmp_path / 't.csv', trials())
    table = pd.read_csv(tmp_path / 't.csv', index_col='trial')
    assert table['a'].tolist() == [1, 2, 3, 4]
    assert table['score'].isna().tolist() == [False, True, False, True]
    assert table.loc['trial_001', 'reason'] == 'it, "is"'
