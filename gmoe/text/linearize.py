"""Graphs of triples as text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from gmoe.common.arguments import check_choice
from gmoe.common.shown import shown
from gmoe.common.triple import clean_name, to_triple, unquote

#: What stands before the subject, the property and the object of a triple.
SPECIAL_TOKENS = ('[S]', '[P]', '[O]')

#: Which triples of a graph are read.
TRIPLES = ('first', 'all')

#: Subject, property and object, or one text with ``' | '`` between them.
Triple = Sequence[str] | str

_LOWER_UPPER = re.compile(r'(?<=[a-z0-9])(?=[A-Z])')
_ACRONYM_WORD = re.compile(r'(?<=[A-Z])(?=[A-Z][a-z])')
_SPACES = re.compile(r'\s+')


def linearize(
    graph: Sequence[Triple],
    triples: str = 'all',
    normalize: bool = False,
    entry: str | None = None,
) -> str:
    """A graph as text: ``[S] subject [P] property [O] object``, triple after
    triple::

        >>> linearize([('Alan_Bean', 'birthPlace', 'Wheeler,_Texas')])
        '[S] Alan_Bean [P] birthPlace [O] Wheeler,_Texas'

    Args:
        graph: The triples, each of subject, property and object, or written
            as in the official files, ``'subject | property | object'``.
        triples: :obj:`"all"`, or :obj:`"first"` for the first triple only.
        normalize: Whether names become words, with :func:`normalize_name`.
        entry: What error messages call the graph.

    Raises:
        ValueError: If there is no triple, or one is malformed.
    """
    check_choice('triples', triples, TRIPLES)
    where = '' if entry is None else f' in entry {shown(entry)}'
    if isinstance(graph, str) or len(graph) == 0:
        raise ValueError(
            f"'graph' must hold at least one triple, got {shown(graph)}{where}"
        )
    read = [to_triple(t, f'triple {i}{where}') for i, t in enumerate(graph)]
    if triples == 'first':
        read = read[:1]
    words = []
    for triple in read:
        for token, part in zip(SPECIAL_TOKENS, triple):
            name = _SPACES.sub(' ', part)
            words += [token, normalize_name(name) if normalize else name]
    return ' '.join(words)


def normalize_name(name: str) -> str:
    """Underscores and camelCase become spaces, and outer quotes are left
    out, with the language or the data type behind them::

        >>> normalize_name('Alan_Bean'), normalize_name('birthPlace')
        ('Alan Bean', 'birth place')

    A name without spaces whose first letter is small is a property, whose
    words are lowered; acronyms stay together.

    Args:
        name: The name of an entity or a property, or a literal.
    """
    text = unquote(clean_name(name)).strip('"').replace('_', ' ')
    words = _ACRONYM_WORD.sub(' ', _LOWER_UPPER.sub(' ', text)).split()
    if ' ' not in text and text[:1].islower():
        words = [w if w.isupper() and len(w) > 1 else w.lower() for w in words]
    return ' '.join(words)


def add_special_tokens(tokenizer: Any, model: Any = None) -> int:
    """Has a tokenizer keep :data:`SPECIAL_TOKENS` whole, and makes room for
    them in the model's embeddings.

    Args:
        tokenizer: A tokenizer of transformers.
        model: A model of transformers, whose embeddings are resized where
            they are too few.

    Returns:
        The number of tokens that the tokenizer did not have.
    """
    added = tokenizer.add_tokens(list(SPECIAL_TOKENS), special_tokens=True)
    if model is not None:
        rows = model.get_input_embeddings().num_embeddings
        if len(tokenizer) > rows:
            model.resize_token_embeddings(len(tokenizer))
    return added
