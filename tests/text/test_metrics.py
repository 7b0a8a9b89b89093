"""Scores of categories against those counted by hand."""

import pytest

from gmoe.text import classification_scores

pytest.importorskip('sklearn', reason="the extra 'text' is not installed")


def test_scores():
    scores = classification_scores(list('aaab'), list('aabb'))
    assert scores['accuracy'] == 0.75
    assert scores['macro_f1'] == pytest.approx((0.8 + 2 / 3) / 2)
    assert scores['weighted_f1'] == pytest.approx(0.75 * 0.8 + 0.25 * 2 / 3)
    with pytest.raises(ValueError, match='at least one, got 0 and 0'):
        classification_scores([], [])
