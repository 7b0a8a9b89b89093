"""The best mixture and the best single network are chosen on validation."""

import numpy as np
import pytest
from scipy import stats

from benchmarks.report.nodes import content, draw_gains, gains
from benchmarks.report.summary import Summary
from benchmarks.reproduce.tables import Cell, Table

SPLIT = {'train': 50, 'valid': 25, 'test': 25}


def summary(row, dataset, valid, test, homophily=0.5, splits=10):
    model = {'num_experts': 4} if row.startswith('mix') else {}
    settings = {'model': model, 'data': {'splits': splits}, 'epochs': 9}
    cell = Cell(row, dataset, row, 'nodes', settings, (70.0, 1.0))
    records = [
        {
            'seed': seed,
            'metric': 'accuracy',
            'valid': valid,
            'test': score,
            'settings': settings,
            'homophily': homophily,
            'split': SPLIT,
            'flops_per_graph': 50 if model else 100,
            'curve': {'valid': [valid] * (4 if model else 8)},
            'measured': {'seconds': 8.0},
        }
        for seed, score in enumerate(test)
    ]
    return Summary(cell, records)


FOUND = [
    summary('sage', 'Cora', 0.8, [0.7, 0.71, 0.74], 0.8),
    summary('gcn', 'Cora', 0.7, [0.9, 0.9, 0.9], 0.8),
    summary('mix-a', 'Cora', 0.9, [0.72, 0.74, 0.75], 0.8),
    summary('mix-b', 'Cora', 0.5, [0.99, 0.99, 0.99], 0.8),
    summary('sage', 'actor', 0.8, [0.3], 0.2),
    summary('mix-a', 'actor', 0.8, [0.4], 0.2),
    summary('mix-a', 'CS', 0.8, [0.4], 0.2),
]


def test_gains():
    actor, cora = gains(FOUND)
    assert (actor.homophily, cora.homophily) == (0.2, 0.8)
    assert (cora.single.cell.row, cora.mixture.cell.row) == ('sage', 'mix-a')
    assert actor.found is None
    assert cora.ratio('flops') == pytest.approx(0.5)
    assert cora.ratio('seconds') == pytest.approx(2.0)
    # Of splits that share rows: test over train is 1 / 2.
    gain = np.array([2.0, 3.0, 1.0])
    error = np.sqrt(gain.var(ddof=1) * (1 / 3 + 1 / 2))
    half = stats.t(2).ppf(0.975) * error
    assert cora.found.gain == pytest.approx(2.0)
    assert cora.found.high - cora.found.low == pytest.approx(2 * half)


def test_one_split_is_not_corrected():
    pair = [
        summary(row, 'CS', 0.8, scores, splits=1)
        for row, scores in (
            ('sage', [0.7, 0.8, 0.9]),
            ('mix', [0.8, 0.8, 0.9]),
        )
    ]
    (gain,) = gains(pair)
    expected = stats.ttest_1samp([10.0, 0.0, 0.0], 0.0).confidence_interval()
    assert gain.found.low == pytest.approx(expected.low)


def test_picture(tmp_path):
    path = draw_gains(gains(FOUND), tmp_path / 'gain.png')
    assert path.stat().st_size > 5_000
    assert draw_gains(gains(FOUND[4:]), tmp_path / 'none.png') is None


def test_parts_without_results():
    table = Table('t4', '', '', 3, (FOUND[0].cell,))
    first, words, rows = content(table, {}, 0)
    assert first.startswith('Not run yet: `python -m benchmarks.reproduce t4')
    assert 'ogb' in words
    assert '| Cora | sage | – | 70.00 ± 1.00 |' in rows
