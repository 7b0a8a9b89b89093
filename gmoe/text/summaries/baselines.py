"""Summaries that nobody has trained: some turns of the dialogue itself."""

from __future__ import annotations

from collections.abc import Sequence

from gmoe.common.arguments import check_integer
from gmoe.common.require import require
from gmoe.common.shown import shown


def lead(dialogue: str, num_turns: int = 3) -> str:
    """The first turns, with their speakers.

    Args:
        dialogue: One turn a line, as ``Amanda: I baked cookies.``
        num_turns: How many turns are taken.

    Raises:
        ValueError: If the dialogue is no text, or the number not positive.
    """
    turns = _turns(dialogue, num_turns)
    return '\n'.join(turns[:num_turns])


def longest(dialogue: str, num_turns: int = 3) -> str:
    """The turns of the most words, the speaker's among them, in the order of
    the dialogue. Of two that are as long, the first is taken.

    Args:
        dialogue: One turn a line, as ``Amanda: I baked cookies.``
        num_turns: How many turns are taken.

    Raises:
        ValueError: If the dialogue is no text, or the number not positive.
    """
    turns = _turns(dialogue, num_turns)
    return _best(turns, [len(turn.split()) for turn in turns], num_turns)


def textrank(dialogue: str, num_turns: int = 3) -> str:
    """The turns that are most like the others, in the order of the dialogue:
    those of the highest PageRank in the graph of turns, whose edges are
    weighted by the cosine between TF-IDF vectors of their words, as in
    `"TextRank: Bringing Order into Texts"
    <https://aclanthology.org/W04-3252>`_ but for that measure.

    Args:
        dialogue: One turn a line, as ``Amanda: I baked cookies.``
        num_turns: How many turns are taken.

    Raises:
        ImportError: If scikit-learn is not installed.
        ValueError: If the dialogue is no text, or the number not positive.
    """
    turns = _turns(dialogue, num_turns)
    if len(turns) <= num_turns:
        return '\n'.join(turns)
    text = require('sklearn.feature_extraction.text')
    vectorizer = text.TfidfVectorizer()
    words = vectorizer.build_analyzer()
    if not any(words(turn) for turn in turns):
        return '\n'.join(turns[:num_turns])
    vectors = vectorizer.fit_transform(turns)
    likeness = (vectors @ vectors.T).tolil()
    likeness.setdiag(0)
    networkx = require('networkx')
    graph = networkx.from_scipy_sparse_array(likeness.tocsr())
    ranks = networkx.pagerank(graph)
    return _best(turns, [ranks[i] for i in range(len(turns))], num_turns)


def _turns(dialogue: str, num_turns: int) -> list[str]:
    if not isinstance(dialogue, str):
        raise ValueError(
            "'dialogue' must be a text with one turn a line, got "
            f'{shown(dialogue)}'
        )
    check_integer(1, num_turns=num_turns)
    lines = (line.strip() for line in dialogue.split('\n'))
    return [line for line in lines if line]


def _best(turns: list[str], values: Sequence[float], num_turns: int) -> str:
    order = sorted(range(len(turns)), key=lambda i: -values[i])
    return '\n'.join(turns[i] for i in sorted(order[:num_turns]))
