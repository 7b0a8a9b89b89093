"""The best mixture and the best single network are chosen on validation."""

import numpy as np
import pytest
from scipy import stats

from benchmarks.report.compare import cost_ratios
from benchmarks.report.one_graph import content, draw_gains, gains, main
from benchmarks.report.summary import Summary, summarise
from benchmarks.reproduce.tables import Cell, Table, load_table
from tests.benchmarks.report.test_main import result

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
    ratios = cost_ratios(cora.mixture, cora.single)
    assert ratios == pytest.approx((0.5, 2.0))
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


def test_links():
    table = load_table('table5')
    gcn, gmoe, *_ = table.cells
    page = '\n\n'.join(content(table, *summarise(table, [])))
    assert 'Not run yet: `python -m benchmarks.reproduce table5' in page
    for paper in ('37.07 ± 5.10', '37.96 ± 8.20', '18.67', '19.25'):
        assert paper in page
    found = [
        {**result(cell, seed, 0.3 + gain + seed / 100), 'metric': 'hits@20'}
        for cell, gain in ((gcn, 0), (gmoe, 0.02))
        for seed in range(3)
    ]
    page = '\n\n'.join(content(table, *summarise(table, found)))
    assert 'ogbl-ddi (hits@20 ↑) | GCN | 31.00 ± 1.00' in page
    assert 'GMoE-GCN over GCN | +2.00' in page
    assert '37.07 ± 5.10' in page
    assert 'best mixture' not in page
    assert 'Without results here' in page
    assert 'ogbl-ppa | GCN | – | 18.67 ± 1.32' in page


def test_written(tmp_path):
    (tmp_path / 'reproduction').mkdir()
    main('table5', results=tmp_path)
    page = tmp_path / 'reproduction' / 'table5.md'
    assert 'Not run yet' in page.read_text()
