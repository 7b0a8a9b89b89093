"""Which epoch and which entries each protocol takes."""

import numpy as np
import pytest

reason = "the extra 'text' is not installed"
pytest.importorskip('sklearn', reason=reason)
pytest.importorskip('transformers', reason=reason)
pytest.importorskip('accelerate', reason=reason)

from benchmarks.reproduce.kinds.webnlg_parts import Parts  # noqa: E402
from benchmarks.reproduce.kinds.webnlg_scores import (  # noqa: E402
    Epoch,
    result,
    routing_by_category,
)
from gmoe.datasets import WebNLGEntry  # noqa: E402


def entry(category, eid):
    triple = (category, 'is', eid)
    return WebNLGEntry('file', eid, category, '', '', (triple,))


@pytest.fixture
def parts():
    test = [entry('Airport', '0'), entry('City', '1'), entry('Food', '2')]
    kind = ['seen', 'unseen_entities', 'unseen_entities']
    repeated = np.array([0, 1, 1, 2])
    return Parts([], [entry('City', '3')], test, kind, repeated)


def test_protocols_choose_epochs_and_entries(parts):
    airport, city, food = 0, 6, 9
    epochs = [
        # The best on the test entries, and not the one that was chosen.
        Epoch(1, 0.1, [city], [airport, city, food], 1.0, 2.0),
        Epoch(2, 0.9, [food], [airport, city, city], 3.0, 2.0),
    ]
    found = result(epochs, parts, 10)
    clean, published = found['protocols'].values()
    assert list(found['protocols']) == ['clean', 'published']
    assert (clean['epoch'], published['epoch']) == (2, 1)
    assert published['accuracy'] == published['weighted_f1'] == 1
    assert clean['accuracy'] == pytest.approx(2 / 3)
    assert clean['entries']['accuracy'] == pytest.approx(3 / 4)
    assert clean['subsets']['seen']['accuracy'] == 1
    assert clean['subsets']['unseen_entities']['graphs'] == 2
    assert clean['subsets']['unseen_entities']['accuracy'] == 0.5
    assert clean['dev_weighted_f1'] == 0
    assert np.array(clean['confusion']).sum() == 3
    assert clean['confusion'][food][city] == 1
    assert found['num_parameters'] == 10
    assert found['measured']['train_seconds'] == 4
    assert found['measured']['train_seconds_per_epoch'] == 2
    assert found['measured']['seconds'] == 8


def test_one_epoch_for_both(parts):
    found = result([Epoch(1, 0.1, [6], [0, 6, 9], 1.0, 2.0)], parts, 10)
    clean, published = found['protocols'].values()
    scores = {'accuracy', 'weighted_f1', 'macro_f1'}
    assert set(clean['entries']) == scores
    assert set(published) == {*scores, 'epoch', 'dev_weighted_f1'}


def test_routing_by_category():
    weights = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    rows = routing_by_category(weights, np.array([3, 3, 5]))
    assert rows[3] == rows[5] == [0.5, 0.5]
    assert rows[0] == [0, 0]
