"""ROUGE: how much of a summary's wording is that of a reference."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from gmoe.common.require import require
from gmoe.text.checks import check_texts

#: The scores, by name.
ROUGE = ('rouge1', 'rouge2', 'rougeL', 'rougeLsum')


def rouge_scores(
    predictions: Sequence[str],
    references: Sequence[str],
    sentences: bool = True,
) -> dict[str, float]:
    """The mean F1 scores of ROUGE in percent, of `"ROUGE: A Package for
    Automatic Evaluation of Summaries" <https://aclanthology.org/W04-1013>`_.

    They are those of the package ``rouge-score`` with Porter's stemmer, which
    compares words of Latin letters and digits alone, in any case.

    Args:
        predictions: The summaries. An empty one has a score of zero.
        references: What each is compared with.
        sentences: Whether texts are split into sentences for ``rougeLsum``,
            which compares them one by one, as transformers' example for
            summaries does. The rules are those of Punkt in ``nltk`` without
            its lists of abbreviations, so that nothing is downloaded. If set
            to :obj:`False`, each line is one sentence.

    Raises:
        ImportError: If the package ``rouge-score`` is not installed.
        ValueError: If there are no texts, or their numbers differ.
    """
    each = rouge_of_each(predictions, references, sentences)
    return {name: fmean(values) for name, values in each.items()}


def rouge_of_each(
    predictions: Sequence[str],
    references: Sequence[str],
    sentences: bool = True,
) -> dict[str, list[float]]:
    """The scores of :func:`rouge_scores` for each summary, as comparisons in
    pairs need them.

    Args:
        predictions: The summaries.
        references: What each is compared with.
        sentences: Whether texts are split into sentences for ``rougeLsum``.

    Raises:
        ImportError: If the package ``rouge-score`` is not installed.
        ValueError: If there are no texts, or their numbers differ.
    """
    predictions = check_texts(predictions, 'predictions')
    references = check_texts(references, 'references')
    if not predictions or len(predictions) != len(references):
        raise ValueError(
            "'predictions' and 'references' must hold the same number of "
            f'texts, at least one, got {len(predictions)} and '
            f'{len(references)}'
        )
    if sentences:
        predictions = _by_sentence(predictions)
        references = _by_sentence(references)
    library = require('rouge_score.rouge_scorer')
    scorer = library.RougeScorer(ROUGE, use_stemmer=True)
    scores = [
        scorer.score(reference, prediction)
        for prediction, reference in zip(predictions, references)
    ]
    return {
        name: [100 * score[name].fmeasure for score in scores]
        for name in ROUGE
    }


def _by_sentence(texts: list[str]) -> list[str]:
    # One sentence a line, where the package looks for them.
    punkt = require('nltk.tokenize.punkt').PunktSentenceTokenizer()
    return [
        '\n'.join(
            sentence
            for line in text.split('\n')
            for sentence in punkt.tokenize(line)
        )
        for text in texts
    ]
