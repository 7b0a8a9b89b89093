"""What is held out has no entity of what is trained on."""

import pytest

from benchmarks.webnlg.tfidf_selection import (
    entity_disjoint,
    score,
    settings,
    table,
    validate,
)
from gmoe.datasets import WebNLGEntry

pytest.importorskip('sklearn', reason="the extra 'text' is not installed")

DEFAULTS = settings()[0]


def entry(number, category):
    word = {'City': 'town', 'River': 'water'}[category]
    triples = [
        (f'Root_{number // 3}', word, f'Object_{number}'),
        (f'Object_{number}', 'in', 'Somewhere'),
    ]
    return WebNLGEntry('a.xml', str(number), category, '', '', tuple(triples))


ENTRIES = [entry(i, ('City', 'River')[i // 3 % 2]) for i in range(60)]


def test_roots_are_held_out_with_all_their_entries():
    parts = list(entity_disjoint(ENTRIES, 4, 0.15))
    assert len(parts) == 4
    for train, rest in parts:
        assert len(train) + len(rest) == len(ENTRIES)
        assert len(rest) == 9
        roots = [{ENTRIES[i].triples[0][0] for i in p} for p in (train, rest)]
        assert not roots[0] & roots[1]


def test_settings():
    assert len(settings()) == 32
    assert DEFAULTS['regularization'] == 1
    parts = list(entity_disjoint(ENTRIES, 2, 0.15))
    rows = [validate(ENTRIES, s, parts) for s in settings()[::8]]
    for row in rows:
        assert row['first'] > 0.5
        mean = (row['first'] + row['all']) / 2
        assert row['mean'] == pytest.approx(mean, abs=1e-4)
    assert table(rows).count('\n') == 5


def test_score_is_of_the_triples_that_are_read():
    first = ('Elsewhere', 'in', 'Somewhere')
    other = [
        WebNLGEntry('a.xml', '', e.category, '', '', (first, e.triples[0]))
        for e in ENTRIES
    ]
    assert score(ENTRIES, other, DEFAULTS, 'all') == 1
    assert score(ENTRIES, other, DEFAULTS, 'first') < 0.5
