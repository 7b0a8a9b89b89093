"""Conformal sets of classes against their definition."""

import numpy as np
import pytest

from gmoe.molecules.uncertainty import ConformalSets, set_coverage
from tests.molecules.uncertainty.test_intervals import quantile


def draw(random, count, num_classes):
    """Classes, and probabilities that are right as often as they say."""
    probability = random.dirichlet(np.ones(num_classes), size=count)
    label = [random.choice(num_classes, p=row) for row in probability]
    return probability, np.array(label, dtype=float)


@pytest.mark.parametrize('level', ['0.5', '0.8', '0.9', '0.95'])
@pytest.mark.parametrize('num_classes', [2, 4])
def test_is_the_definition(num_classes, level):
    random = np.random.default_rng(0)
    probability, label = draw(random, 80, num_classes)
    sets = ConformalSets(probability, label)
    new, _ = draw(random, 30, num_classes)
    out = sets(new, float(level))
    for number in range(num_classes):
        scores = 1 - probability[label == number, number]
        assert sets.counts[number] == len(scores)
        within = 1 - new[:, number] <= quantile(scores, level)
        assert np.array_equal(out[:, number], within)


def test_ties_and_few_molecules():
    probability = np.array([[0.75, 0.25]] * 9 + [[0.25, 0.75]] * 8)
    label = np.array([0] * 9 + [1] * 8)
    new = np.array([[0.75, 0.25], [0.7, 0.3]])
    out = ConformalSets(probability, label)(new, 0.9)
    # Eight molecules of the second class are too few: it is in all sets.
    assert out.tolist() == [[True, True], [False, True]]


def test_unknown_classes_do_not_count():
    random = np.random.default_rng(1)
    probability, label = draw(random, 60, 3)
    unknown = label.copy()
    unknown[::2] = np.nan
    unknown[0] = -1
    some = ConformalSets(probability, unknown)
    same = ConformalSets(probability[1::2], label[1::2])
    assert np.array_equal(some.thresholds(0.8), same.thresholds(0.8))


def test_coverage_of_a_rare_class():
    random = np.random.default_rng(2)
    rare, often = [], []
    for _ in range(200):
        # Five of a hundred are of the second class, and not told apart well.
        label = (random.uniform(size=600) < 0.1).astype(float)
        logit = random.normal(size=600) + label - 2
        p = 1 / (1 + np.exp(-logit))
        probability = np.stack([1 - p, p], axis=1)
        sets = ConformalSets(probability[:300], label[:300])
        out, label = sets(probability[300:], 0.9), label[300:]
        rare.append(set_coverage(out[label == 1], label[label == 1]))
        often.append(set_coverage(out[label == 0], label[label == 0]))
    assert 0.89 < np.mean(rare) < 0.95
    assert 0.89 < np.mean(often) < 0.92


def test_what_is_refused():
    with pytest.raises(ValueError, match="'probability' must be of shape"):
        ConformalSets(np.zeros(3), np.zeros(3))
    with pytest.raises(ValueError, match="'label' must be below"):
        ConformalSets(np.zeros((1, 2)), np.array([2]))
    with pytest.raises(ValueError, match="'level' must be a share"):
        ConformalSets(np.zeros((1, 2)), np.array([1])).thresholds(1)
