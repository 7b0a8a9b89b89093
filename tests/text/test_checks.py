"""What is given to a text classifier."""

import numpy as np
import pandas as pd
import pytest
import torch

from gmoe.text.checks import (
    check_labels,
    check_names,
    check_texts,
)

TEXTS = ['moon', '', 'São Paulo 🌙']


@pytest.mark.parametrize(
    'texts',
    [
        TEXTS,
        tuple(TEXTS),
        iter(TEXTS),
        np.array(TEXTS),
        pd.Series(TEXTS, index=[7, 3, 9]),
        pd.Index(TEXTS),
    ],
)
def test_sequences_of_texts(texts):
    out = check_texts(texts)
    assert out == TEXTS
    assert {type(text) for text in out} == {str}


def test_no_texts():
    assert check_texts([]) == []


@pytest.mark.parametrize(
    ('texts', 'message'),
    [
        ('alpha', "'texts' must be a sequence.*the single text 'alpha'"),
        (b'alpha', "'texts' must be a sequence.*the single text b'alpha'"),
        (None, "'texts' must be a sequence of texts.*got None"),
        ({'moon': 1}, "'texts' must be a sequence.*got {'moon': 1}"),
        ({'moon'}, "'texts' must be a sequence.*got {'moon'}"),
        (np.array([TEXTS]), "'texts' must be a sequence.*one axis"),
        (np.array('moon'), "'texts' must be a sequence.*one axis"),
        (pd.DataFrame({'a': TEXTS}), "'texts' must be.*one axis"),
        (['moon', None], "'texts' must hold texts, got None at position 1"),
        (['moon', float('nan')], 'must hold texts, got nan at position 1'),
        ([['moon']], r"must hold texts, got \['moon'\] at position 0"),
        ([b'moon'], "must hold texts, got b'moon' at position 0"),
        (['moon', 'a\ud800'], 'must hold valid Unicode.*at position 1'),
        (pd.Series(['moon', None]), 'must hold texts, got .* at position 1'),
    ],
)
def test_no_sequences_of_texts(texts, message):
    with pytest.raises(ValueError, match=message):
        check_texts(texts)


def test_messages_are_short():
    with pytest.raises(ValueError, match='must be a sequence') as error:
        check_texts('x' * 10_000_000)
    assert len(str(error.value)) < 200


@pytest.mark.parametrize(
    ('labels', 'expected'),
    [
        (['b', 'a'], ['b', 'a']),
        (np.array(['b', 'a']), ['b', 'a']),
        ([3, 1], [3, 1]),
        (np.array([3, 1]), [3, 1]),
        ([np.int64(3), np.int8(1)], [3, 1]),
        (torch.tensor([3, 1]), [3, 1]),
        (pd.Series([3, 1], index=['x', 'y']), [3, 1]),
        (pd.Series(['b', 'a'], dtype='category'), ['b', 'a']),
        (np.array([True, False]), [True, False]),
    ],
)
def test_labels(labels, expected):
    out = check_labels(labels)
    assert out == expected
    assert {type(label) for label in out} == {type(expected[0])}


@pytest.mark.parametrize(
    ('labels', 'message'),
    [
        ('ab', "'labels' must be a sequence.*the single text 'ab'"),
        (['a', None], "'labels' must hold.*got None at position 1"),
        (['a', float('nan')], 'got nan at position 1'),
        (np.array([1, np.nan]), r'got 1.0 at position 0'),
        ([1, 'a'], "one type, got 1 at position 0 and 'a' at position 1"),
        ([1, True], 'one type, got 1 at position 0 and True at position 1'),
        (['a', '\udfff'], 'must hold valid Unicode.*position 1'),
    ],
)
def test_no_labels(labels, message):
    with pytest.raises(ValueError, match=message):
        check_labels(labels)


def test_names():
    check_names('settings', ['size'], ['size', 'rate'])
    with pytest.raises(ValueError, match="got 'szie': did you mean 'size'?"):
        check_names('settings', ['szie'], ['size', 'rate'])
    with pytest.raises(ValueError, match=r"got 'x': not one of \['rate'"):
        check_names('settings', ['x'], ['size', 'rate'])
