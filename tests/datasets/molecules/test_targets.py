import numpy as np
import pytest

from gmoe.datasets.molecules.targets import read_targets
from gmoe.datasets.molecules.values import Column


def columns(**cells):
    out = []
    for name, values in cells.items():
        values = values * 10
        out.append(Column(name, values, range(2, len(values) + 2), 'a.csv'))
    return out


@pytest.mark.parametrize(
    ('cells', 'task', 'classes', 'y'),
    [
        (['1', '0'], 'binary classification', ('0', '1'), [1, 0]),
        (['1', '-1'], 'binary classification', ('-1', '1'), [1, 0]),
        (['Yes', 'no'], 'binary classification', ('no', 'Yes'), [1, 0]),
        (['1', '2', '3'], 'multiclass classification', ('1', '2', '3'), None),
        (['b', 'a', 'c'], 'multiclass classification', ('a', 'b', 'c'), None),
        (['0.5', '2', '-1'], 'regression', None, [0.5, 2, -1]),
        (['0.5', '1.5'], 'regression', None, [0.5, 1.5]),
        (['3', '5', '9'], 'regression', None, [3, 5, 9]),
    ],
)
def test_task_of_the_values(cells, task, classes, y):
    found = read_targets(columns(a=cells), None, 'a.csv')
    assert (found.task_type, found.classes) == (task, classes)
    y = y or [classes.index(cell) for cell in cells]
    assert found.y[: len(cells), 0].tolist() == y
    assert task in found.said[0]


def test_missing_labels():
    found = read_targets(columns(a=['1', '', '0']), None, 'a.csv')
    np.testing.assert_array_equal(found.y[:3, 0], [1, np.nan, 0])
    assert '10 of 30 labels are missing' in found.said
    found = read_targets(columns(a=['x', 'NA', 'y', 'z']), None, 'a.csv')
    assert found.y[:4, 0].tolist() == [0, -1, 1, 2]


def test_several_targets():
    found = read_targets(
        columns(a=['1', '0'], b=['1', ''], c=['0', '0']), None, 'a.csv'
    )
    assert found.task_type == 'binary classification'
    assert found.y.shape == (20, 3)
    found = read_targets(columns(a=['1', '2.5'], b=['3', '']), None, 'a.csv')
    assert found.task_type == 'regression'


def test_given_task():
    found = read_targets(columns(a=['1', '0']), 'regression', 'a.csv')
    assert (found.task_type, found.classes) == ('regression', None)
    found = read_targets(columns(a=['1', '0']), 'multiclass', 'a.csv')
    assert found.classes == ('0', '1')
    found = read_targets(columns(a=['5', '7', '9']), 'multiclass', 'a.csv')
    assert found.classes == ('5', '7', '9')


@pytest.mark.parametrize(
    ('cells', 'task', 'message'),
    [
        ({'a': ['1', 'x', '2']}, None, "line 3: 'a' must be a finite number"),
        ({'a': ['1', 'inf']}, 'regression', 'line 3: .*got .inf'),
        ({'a': ['', 'nan']}, None, "'a' must have labels, got none"),
        ({'a': ['1', '1']}, None, "'a' must have several values, got only"),
        ({'a': ['1', '1']}, 'binary', "two values .*got 1 in .*'1'"),
        ({'a': ['1', '1']}, 'regression', 'must have several values'),
        ({'a': ['1', '2', '3']}, 'binary', 'two values .*got 3 in'),
        ({'a': ['1', '0'], 'b': ['no', 'yes']}, None, 'two values .*got 4'),
        ({'a': ['1', '0'], 'b': ['2.5', '1']}, None, "two values in .'a'. an"),
        ({'a': ['x', 'y'], 'b': ['2.5', '1']}, None, 'line 2: .a. must be a'),
        ({'a': ['1', '0'], 'b': ['1', '0']}, 'multiclass', 'one column for'),
        ({'a': ['1', '0']}, 'magic', "'task' must be one of"),
    ],
)
def test_what_is_refused(cells, task, message):
    with pytest.raises(ValueError, match=message) as e:
        read_targets(columns(**cells), task, 'a.csv')
    assert '\n' not in str(e.value)


def test_too_few():
    few = [Column('a', ['1', '0', '1'], [2, 3, 4], 'a.csv')]
    with pytest.raises(ValueError, match='at least 10 molecules .*got 3'):
        read_targets(few, None, 'a.csv')
