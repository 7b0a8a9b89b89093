"""All comparisons of mixtures with single networks, each once."""

from dataclasses import replace

import pytest
from scipy import stats

from benchmarks.report.mixtures import cases, content, draw, main
from benchmarks.report.summary import Summary
from benchmarks.reproduce.tables import Cell, Table

SINGLE, MIXTURE = {'hidden_channels': 300}, {'num_experts': 8}


def summary(row, scores, model, dataset='molesol', metric='rmse'):
    settings = {'model': model, 'epochs': 4}
    cell = Cell(row, dataset, row, 'network', settings, baseline='gcn')
    records = [
        {
            'seed': seed,
            'metric': metric,
            'digest': f'{dataset} {row}',
            'valid': score,
            'test': score,
            'settings': settings,
            'flops_per_graph': 200 if model == MIXTURE else 100,
            'measured': {'seconds': 6.0 if model == MIXTURE else 2.0},
        }
        for seed, score in enumerate(scores)
    ]
    return Summary(cell, records)


def table(name, *summaries, compare=()):
    cells = tuple(each.cell for each in summaries)
    found = {each.cell.name: each for each in summaries}
    return Table(name, name, 'here', 3, cells, tuple(compare)), found


GCN = summary('gcn', [1.0, 1.1, 1.2], SINGLE)
GOOD = summary('good', [0.5, 0.61, 0.7], MIXTURE)
BAD = summary('bad', [1.6, 1.71, 1.8], MIXTURE)
SMALL = summary('small', [1.5, 1.5, 1.5], SINGLE)


def test_each_pair_of_a_mixture_and_a_network_once():
    forest = summary('forest', [3.0, 3.0, 3.1], MIXTURE)
    forest = replace(
        forest, cell=replace(forest.cell, settings={'forest': {}})
    )
    found = cases(
        [
            table('table1', GCN, GOOD, SMALL, forest),
            # The same pair, one of two mixtures, and one beside a forest.
            table(
                'hops',
                GCN,
                GOOD,
                BAD,
                forest,
                compare=[('bad', 'good'), ('bad', 'forest')],
            ),
        ]
    )
    assert [
        (c.table, c.mixture.cell.row, c.single.cell.row) for c in found
    ] == [
        ('table1', 'good', 'gcn'),
        ('hops', 'bad', 'gcn'),
    ]
    assert found[0].found.gain == pytest.approx(0.496667, abs=1e-5)
    assert found[0].percent == pytest.approx(100 / 1.1)


def test_one_seed_is_not_compared():
    one = summary('one', [0.5], MIXTURE)
    assert cases([table('hops', GCN, one)]) == []


def test_content():
    level = summary('level', [1.1, 1.0, 1.2], MIXTURE)
    found = cases([table('hops', GCN, GOOD, BAD, level)])
    text = content(found)
    assert text.startswith(
        'Of 3 comparisons the mixture is better in 1, worse in 1, and 1 '
    )
    row = next(line for line in text.splitlines() if '| good |' in line)
    p_values = stats.false_discovery_control([c.found.p_value for c in found])
    assert f'| {p_values[0]:.3f} | better | 2.00 | 3.00 |' in row
    assert '[hops](reproduction/hops.md)' in row
    assert content([]) == 'No table has results of two seeds yet.'


def test_adjusted_for_their_number():
    # One gain of twenty with p = 0.04 is no discovery.
    chance = summary('chance', [0.94, 1.03, 1.17], MIXTURE)
    (case,) = cases([table('hops', GCN, chance)])
    assert 0.03 < case.found.p_value < 0.05
    zero = replace(case, found=replace(case.found, p_value=0.9))
    kept = ', 1 and 0 are left.'
    assert kept in content([case])
    assert kept not in content([case] + [zero] * 19)


def test_draw(tmp_path):
    points = [
        summary(row, scores, model, 'molbbbp', 'rocauc')
        for row, scores, model in (
            ('gcn', [0.7, 0.71, 0.72], SINGLE),
            ('good', [0.8, 0.81, 0.83], MIXTURE),
        )
    ]
    found = cases([table('hops', GCN, BAD), table('table1', *points)])
    assert len(found) == 2
    path = draw(found, tmp_path / 'both.png')
    assert path.stat().st_size > 5_000
    assert draw([], tmp_path / 'none.png') is None


def test_main(tmp_path, capsys):
    main(results=tmp_path)
    page = (tmp_path / 'mixtures.md').read_text()
    assert 'No table has results of two seeds yet.' in page
    assert not (tmp_path / 'images').exists()
