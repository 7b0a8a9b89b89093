"""ROUGE against its definition."""

import math
from collections import Counter

import pytest

pytest.importorskip('rouge_score', reason="the extra 'text' is missing")

from gmoe.text import rouge_scores
from gmoe.text.summaries import rouge_of_each

PREDICTIONS = [
    'the cat sat on the mat. a dog ran',
    'dogs were running. Cats were sitting!',
    '',
    'nothing alike',
]
REFERENCES = [
    'the cat lay on a mat. the dog ran',
    'The cat sits. The dog runs.',
    'empty',
    'words of another kind',
]


def f1(hits, predicted, wanted):
    return 200 * hits / (predicted + wanted) if hits else 0


def words(text):
    return text.replace('.', '').split()


def overlap(first, second, n):
    first, second = (
        Counter(zip(*(words(text)[i:] for i in range(n))))
        for text in (first, second)
    )
    hits = sum((first & second).values())
    return f1(hits, first.total(), second.total())


def common(first, second):
    """The length of the longest common subsequence."""
    if not first or not second:
        return 0
    if first[-1] == second[-1]:
        return 1 + common(first[:-1], second[:-1])
    return max(common(first[:-1], second), common(first, second[:-1]))


def test_against_the_definition():
    prediction, reference = PREDICTIONS[0], REFERENCES[0]
    scores = rouge_scores([prediction], [reference])
    assert scores['rouge1'] == pytest.approx(overlap(prediction, reference, 1))
    assert scores['rouge2'] == pytest.approx(overlap(prediction, reference, 2))
    first, second = words(prediction), words(reference)
    longest = f1(common(first, second), len(first), len(second))
    assert scores['rougeL'] == pytest.approx(longest)


def test_words_are_stemmed():
    scores = rouge_scores(['Dogs running!'], ['a dog run'])
    assert scores['rouge1'] == pytest.approx(f1(2, 2, 3))


def test_sentences_are_found():
    # The order of sentences counts for L alone, of words within one for both.
    first, second = 'The dog ran. A cat sat.', 'A cat sat. The dog ran.'
    scores = rouge_scores([first], [second])
    assert scores['rougeLsum'] == pytest.approx(100)
    assert scores['rougeL'] == pytest.approx(50)
    lines = rouge_scores([first], [second], sentences=False)
    assert lines['rougeLsum'] == lines['rougeL'] == scores['rougeL']
    cut = [text.replace('. ', '.\n') for text in (first, second)]
    lines = rouge_scores([cut[0]], [cut[1]], sentences=False)
    assert lines['rougeLsum'] == pytest.approx(100)


def test_means_of_each():
    each = rouge_of_each(PREDICTIONS, REFERENCES)
    means = rouge_scores(PREDICTIONS, REFERENCES)
    assert (
        list(each)
        == list(means)
        == [
            'rouge1',
            'rouge2',
            'rougeL',
            'rougeLsum',
        ]
    )
    for name, values in each.items():
        assert len(values) == 4
        assert values[2:] == [0, 0]
        assert values[1] > 0 or name == 'rouge2'
        assert means[name] == pytest.approx(math.fsum(values) / 4)


@pytest.mark.parametrize(
    ('predictions', 'references', 'message'),
    [
        ([], [], 'at least one, got 0 and 0'),
        (['a'], ['a', 'b'], 'got 1 and 2'),
        ('a', ['a'], "'predictions' must be a sequence"),
        (['a'], [None], "'references' must hold texts"),
    ],
)
def test_what_is_refused(predictions, references, message):
    with pytest.raises(ValueError, match=message):
        rouge_scores(predictions, references)
