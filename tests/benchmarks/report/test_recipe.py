"""Recipes are compared on the sets and seeds that both have."""

from dataclasses import replace

import pytest

from benchmarks.report.recipe import content, ratio
from benchmarks.report.summary import Summary
from benchmarks.reproduce.tables import Cell, Table


def cell(row, dataset, baseline=None):
    return Cell(row, dataset, row, 'network', {}, baseline=baseline)


def summary(row, dataset, scores, metric='rmse', baseline=None):
    records = [
        {'seed': seed, 'valid': score, 'metric': metric, 'settings': {}}
        for seed, score in scores.items()
    ]
    return Summary(cell(row, dataset, baseline), records)


def test_ratio():
    first = summary('a', 'molesol', {0: 1.0, 1: 2.0, 2: 9.0})
    second = summary('b', 'molesol', {0: 2.0, 1: 4.0})
    assert ratio(first, second) == pytest.approx(0.5)
    assert ratio(second, first) == pytest.approx(2.0)
    assert ratio(first, summary('b', 'molesol', {5: 1.0})) is None
    good = summary('a', 'molbace', {0: 0.9}, 'rocauc')
    better = summary('b', 'molbace', {0: 0.95}, 'rocauc')
    assert ratio(better, good) == pytest.approx(0.5)


def test_content():
    found = [
        summary('a', 'molesol', {0: 1.0}),
        summary('a', 'molbace', {0: 0.8}, 'rocauc'),
        summary('b', 'molesol', {0: 0.5}, baseline='a'),
        summary('b', 'molbace', {0: 0.9}, 'rocauc', baseline='a'),
    ]
    cells = tuple(s.cell for s in found)
    table = Table('recipe', '', '', 2, (*cells, cell('c', 'molesol')))
    text = content(table, {s.cell.name: s for s in found})
    assert '| b | b | 0.500 | 90.00 | 2 | a | 0.500 (2 sets) |' in text
    assert '| a | a | 1.000 | 80.00 | 2 | – | – |' in text
    assert '2 trials, 4 runs' in text
    assert '| c |' not in text
    assert content(replace(table, cells=()), {}) == 'Not run yet.'
