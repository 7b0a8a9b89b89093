"""A score is the mean over targets, of what is known."""

import numpy as np
import pytest

pytest.importorskip('sklearn')

from sklearn.metrics import accuracy_score, r2_score

from gmoe.molecules.mean_score import mean_score

TARGET = np.array([[1, 4], [2, 3], [4, 2], [8, 1]], dtype=float)
GUESS = np.array([[1, 4], [3, 3], [4, 2], [5, 2]], dtype=float)


def test_mean_over_targets():
    expected = np.mean([r2_score(*p) for p in zip(TARGET.T, GUESS.T)])
    assert mean_score(r2_score, TARGET, GUESS, None) == pytest.approx(expected)
    one = mean_score(r2_score, TARGET[:, 0], GUESS[:, 0], None)
    assert one == pytest.approx(r2_score(TARGET[:, 0], GUESS[:, 0]))


def test_what_is_missing_is_left_out():
    target, guess = TARGET.copy(), GUESS.copy()
    target[0, 0] = guess[1, 1] = np.nan
    expected = [
        r2_score(TARGET[1:, 0], GUESS[1:, 0]),
        r2_score(TARGET[[0, 2, 3], 1], GUESS[[0, 2, 3], 1]),
    ]
    found = mean_score(r2_score, target, guess, None)
    assert found == pytest.approx(np.mean(expected))
    # A target of which nothing is known.
    target[:, 0] = np.nan
    found = mean_score(r2_score, target, guess, None)
    assert found == pytest.approx(expected[1])


def test_weights_are_of_what_is_left():
    y, guess = ['a', None, 'b', 'b'], ['a', 'a', 'a', 'b']
    assert mean_score(accuracy_score, y, guess, [2, 9, 1, 1]) == 0.75


@pytest.mark.parametrize(
    ('y', 'weights', 'message'),
    [
        ([1, 2], None, r"'y' must be of shape \(4, 1\), got \(2, 1\)"),
        (3, None, r"'y' must be of shape \(4, 1\), got \(\)"),
        ([None] * 4, None, 'must have a value for a molecule'),
        ([1, 2, 3, 4], [1, 2], "'sample_weight' must be 4 numbers"),
    ],
)
def test_what_is_refused(y, weights, message):
    with pytest.raises(ValueError, match=message):
        mean_score(r2_score, y, GUESS[:, 0], weights)
