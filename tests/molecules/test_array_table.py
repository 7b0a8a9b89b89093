"""Arrays as a table of molecules."""

import numpy as np
import pytest

from gmoe.molecules.array_table import array_table, as_smiles

SMILES = ['C', 'CC', 'CCC', 'CCO']


def test_values():
    made = array_table(
        SMILES, [1, None, np.float32(0.5), np.nan], 'regression'
    )
    assert made.table.y.tolist()[0] == [1.0]
    assert np.isnan(made.table.y[[1, 3], 0]).all()
    assert made.table.info.task_type == 'regression'
    assert made.table.info.targets == ('y',)
    assert made.form.labels is None
    assert made.form.is_1d


def test_several_targets_and_weights():
    y = np.arange(8).reshape(4, 2)
    made = array_table(SMILES, y, 'regression', [1, 2, 0, 1])
    assert np.array_equal(made.table.y, y)
    assert made.table.info.targets == ('y0', 'y1')
    assert made.table.weights.tolist() == [1, 2, 0, 1]
    assert not made.form.is_1d


@pytest.mark.parametrize(
    ('y', 'labels', 'names', 'numbers'),
    [
        (['b', 'a', 'b', None], ['a', 'b'], ('a', 'b'), [1, 0, 1, np.nan]),
        ([1, 0, np.nan, 1], [0, 1], ('0', '1'), [1, 0, np.nan, 1]),
        ([True, False] * 2, [False, True], ('False', 'True'), [1, 0, 1, 0]),
        ([3, 5, 7, 5], [3, 5, 7], ('3', '5', '7'), [0, 1, 2, 1]),
        (
            ['x', 'y', 'z', None],
            ['x', 'y', 'z'],
            ('x', 'y', 'z'),
            [0, 1, 2, -1],
        ),
    ],
)
def test_classes(y, labels, names, numbers):
    made = array_table(SMILES, y, 'classification')
    assert made.form.labels.tolist() == labels
    assert made.table.info.classes == names
    assert np.array_equal(made.table.y[:, 0], numbers, equal_nan=True)
    kind = 'binary' if len(labels) == 2 else 'multiclass'
    assert made.table.info.task_type == f'{kind} classification'


def test_two_classes_may_be_several():
    made = array_table(SMILES, [0, 1, 1, 0], 'multiclass')
    assert made.table.info.task_type == 'multiclass classification'


def test_pandas():
    pandas = pytest.importorskip('pandas')
    frame = pandas.DataFrame(
        {
            'smiles': SMILES,
            'a': [1, 2, 3, None],
            'b': ['u', pandas.NA, 'v', 'u'],
        }
    ).iloc[::-1]
    made = array_table(frame[['smiles']], frame['a'], 'regression')
    assert made.table.smiles == SMILES[::-1]
    assert made.table.info.targets == ('a',)
    made = array_table(frame.smiles, frame[['b']], 'classification')
    assert made.table.info.targets == ('b',)
    assert made.form.labels.tolist() == ['u', 'v']
    assert not made.form.is_1d


def test_missing_strings_are_empty():
    assert as_smiles(['C', None, np.nan]) == ['C', '', '']
    assert as_smiles(np.array(['C', 'CC'])) == ['C', 'CC']


@pytest.mark.parametrize(
    ('smiles', 'y', 'task', 'message'),
    [
        (SMILES, [1, 2], 'regression', 'one value or row for each of 4'),
        (SMILES, np.zeros((4, 1, 1)), 'regression', r'got shape \(4, 1, 1\)'),
        (SMILES, np.zeros((4, 0)), 'regression', r'got shape \(4, 0\)'),
        (SMILES, [1, 2, 'x', 4], 'regression', "got 'x' at position 2"),
        (SMILES, [1, 2, np.inf, 4], 'regression', 'got inf at position 2'),
        (SMILES, [1, -1e16, 3, 4], 'regression', 'got -1e[+]16 at position 1'),
        (SMILES, [None] * 4, 'regression', 'got none in column 0'),
        (SMILES, [1] * 4, 'classification', 'two classes or more .* got 1'),
        (SMILES, [1, 2, 3, 3], 'binary', 'two classes where .* got 3'),
        (SMILES, [[1, 2], [3, 3]] * 2, 'classification', 'several .* got 3'),
        (SMILES, [1, 2, 3, 3], 'ranking', "'task' must be one of"),
        (np.zeros((2, 2)), [1, 2], 'regression', r'of shape \(2, 2\)'),
    ],
)
def test_what_is_refused(smiles, y, task, message):
    with pytest.raises(ValueError, match=message):
        array_table(smiles, y, task)


@pytest.mark.parametrize('smiles', ['CCO', b'CCO', ['C', 1], [b'C', 'C']])
def test_what_is_no_string_is_refused(smiles):
    with pytest.raises(TypeError, match="'smiles' must be"):
        array_table(smiles, [1, 2], 'regression')


@pytest.mark.parametrize(
    'weights',
    [
        [1, 2],
        [0] * 4,
        [1, -1, 1, 1],
        [np.nan] * 4,
        [1, np.inf, 1, 1],
        [*'abcd'],
    ],
)
def test_weights_that_are_none(weights):
    with pytest.raises(ValueError, match="'sample_weight' must be 4"):
        array_table(SMILES, [1, 2, 3, 4], 'regression', weights)
