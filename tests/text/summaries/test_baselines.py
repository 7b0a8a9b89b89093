"""Turns of a dialogue as its summary."""

import numpy as np
import pytest

pytest.importorskip('sklearn', reason="the extra 'text' is missing")

from gmoe.datasets import SAMSum
from gmoe.text import rouge_scores
from gmoe.text.summaries import lead, longest, textrank

TURNS = [
    'Ann: hi',
    'Bo: the moon is bright tonight',
    'Ann: yes dear',
    'Bo: the bright moon over the river, look',
    'Ann: a bright river and the moon!',
    'Bo: bye now my dear friend',
]
DIALOGUE = '\n'.join(TURNS)


def chosen(text):
    return [TURNS.index(turn) for turn in text.split('\n')]


def test_lead():
    assert lead(DIALOGUE) == '\n'.join(TURNS[:3])
    assert lead(DIALOGUE, 1) == TURNS[0]


def test_longest():
    assert chosen(longest(DIALOGUE, 1)) == [3]
    # The second and the last have as many words.
    assert chosen(longest(DIALOGUE, 3)) == [1, 3, 4]
    assert longest('A: x\nB: y\nC: z z\nD: w', 3) == 'A: x\nB: y\nC: z z'


def slow_ranks(weights, damping=0.85):
    """The PageRank of each node, from its linear equations."""
    n = len(weights)
    step = weights / weights.sum(axis=1, keepdims=True)
    return np.linalg.solve(
        np.eye(n) - damping * step.T, np.full(n, (1 - damping) / n)
    )


def test_textrank_against_its_equations():
    words = [
        turn.lower().replace(':', '').replace(',', '').strip('!').split()
        for turn in TURNS
    ]
    words = [[word for word in turn if len(word) > 1] for turn in words]
    names = sorted({word for turn in words for word in turn})
    counts = np.array([[turn.count(word) for word in names] for turn in words])
    inverse = np.log((1 + len(TURNS)) / (1 + (counts > 0).sum(axis=0))) + 1
    vectors = counts * inverse
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    weights = vectors @ vectors.T
    np.fill_diagonal(weights, 0)
    ranks = slow_ranks(weights)
    assert np.abs(np.diff(np.sort(ranks))).min() > 1e-4
    for count in range(1, 6):
        best = sorted(np.argsort(-ranks)[:count])
        assert chosen(textrank(DIALOGUE, count)) == best


@pytest.mark.parametrize('summarize', [lead, longest, textrank])
def test_few_turns(summarize):
    assert summarize('') == summarize(' \n\n') == ''
    assert summarize('A: hi \r\n\n B: ho') == 'A: hi\nB: ho'
    # No words to compare.
    assert summarize(':\n?\n!\n.\n;') == ':\n?\n!'


@pytest.mark.parametrize('summarize', [lead, longest, textrank])
def test_what_is_refused(summarize):
    for dialogue in (None, ['A: hi'], b'A: hi'):
        with pytest.raises(ValueError, match="'dialogue' must be a text"):
            summarize(dialogue)
    for count in (0, 1.5, None):
        with pytest.raises(ValueError, match="'num_turns' must be"):
            summarize('A: hi', count)


@pytest.mark.parametrize(
    ('summarize', 'num_dialogues', 'expected'),
    [
        (lead, 819, [31.31, 8.68, 24.17, 27.57]),
        (longest, 819, [31.93, 10.15, 24.21, 27.64]),
        # All of them have 27.51, 6.75, 21.34, 24.01.
        (textrank, 100, [25.36, 5.93, 19.48, 22.04]),
    ],
)
def test_scores_on_samsum(data_root, summarize, num_dialogues, expected):
    entries = SAMSum(data_root / 'samsum', 'test')[:num_dialogues]
    predictions = [summarize(entry.dialogue) for entry in entries]
    references = [entry.summary for entry in entries]
    scores = rouge_scores(predictions, references, sentences=False)
    assert list(scores.values()) == pytest.approx(expected, abs=0.0051)
