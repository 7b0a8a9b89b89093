"""A report has the numbers of its results, and is the same each time."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from matplotlib import pyplot as plt
from scipy import stats

from benchmarks.common import markdown
from benchmarks.common.record import ROOT
from benchmarks.report import plots
from benchmarks.report.__main__ import main
from benchmarks.report.compare import compare
from benchmarks.report.grid import grids
from benchmarks.report.headline import headline
from benchmarks.report.summary import Summary, summarise
from benchmarks.report.text import write
from benchmarks.report.training import training
from benchmarks.reproduce import search, store
from benchmarks.reproduce.run import Run
from benchmarks.reproduce.tables import Table, load_table, table_names

PAGES = ROOT / 'docs' / 'reproduction'
SCORES = {
    'gcn': [1.10, 1.20, 1.15],
    'gmoe-gcn': [1.00, 1.15, 1.12],
    'forest': [1.30, 1.31, 1.32],
}


def result(cell, seed, test, **settings):
    network = cell.kind == 'network'
    return {
        'kind': cell.kind,
        'dataset': cell.dataset,
        'row': cell.row,
        'seed': seed,
        'digest': Run(cell, seed).digest,
        'settings': {**cell.settings, **settings},
        'metric': 'rmse',
        'valid': test + 0.1,
        'test': test,
        'best_epoch': 1,
        'num_parameters': 1000,
        'flops_per_graph': 2_000_000 if network else None,
        'curve': {
            'train_loss': [0.9, 0.7],
            'valid': [2.0, 1.5],
            'test': [2.1, test],
        }
        if network
        else {},
        'measured': {
            'seconds': 10.0 + seed,
            'train_seconds': 9.0,
            'peak_memory': 2**29,
        },
        'environment': {
            'cpu threads': '1',
            'cuda devices': 'none',
            'torch': '2.13.0+cpu',
        },
        'processor': 'a processor',
    }


def results():
    cells = load_table('table2', 2).select(list(SCORES), ['molesol'])
    records = [
        result(cell, seed, test)
        for cell in cells
        for seed, test in enumerate(SCORES[cell.row])
    ]
    # A shorter run, which does not count beside these.
    records.append(result(cells[0], 3, 9.0, epochs=1))
    mean = {
        'kind': 'ensemble',
        'dataset': 'molesol',
        'row': 'gcn',
        'seeds': [0, 1, 2],
        'digest': records[0]['digest'],
        'metric': 'rmse',
        'test': 1.05,
    }
    # Of fewer seeds than the row has.
    fewer = {**mean, 'seeds': [0, 1], 'test': 0.5}
    return [*records, mean, fewer]


@pytest.fixture
def folder(tmp_path):
    lines = [json.dumps(record) + '\n' for record in results()]
    (tmp_path / 'table2.jsonl').write_text(''.join(lines))
    shutil.copytree(PAGES, tmp_path / 'reproduction')
    return tmp_path


def make(folder, table='table2'):
    main(table, results=folder, docs=folder, readme=folder / 'README.md')
    pages = folder / 'reproduction'
    paths = [pages / 'table2.md', *(folder / 'images').glob('*.png')]
    return {path.name: path.read_bytes() for path in paths}


def test_table(folder):
    first = make(folder)
    assert len(first) == 3
    assert make(folder) == first
    text = (folder / 'reproduction' / 'table2.md').read_text()
    begin, end = markdown.markers('benchmarks.report table2')
    text = text.split(begin)[1].split(end)[0]
    assert (
        '| molesol (rmse ↓) | GCN | 1.150 ± 0.050 | 3 | 2 | 1.114 ± 0.036 | '
        '+0.036 | yes | 1.050 (3 seeds) | 1.250 ± 0.050 |'
    ) in text
    mixture = load_table('table2').select(['molesol/gmoe-gcn'], None)[0]
    assert f'settings: {mixture.settings_from}' in text
    test = stats.ttest_rel(SCORES['gcn'], SCORES['gmoe-gcn'])
    low, high = test.confidence_interval()
    assert (
        f'| GMoE-GCN over GCN | +0.060 | [{low:+.3f}, {high:+.3f}] | '
        f'{test.pvalue:.3f} | 3 | not decided | +0.027 |'
    ) in text
    assert '| GCN | 1,000 | 2.00 | 5.50 | 11 | 512 |' in text
    assert '| molesol | GCN | 1 (1 to 1) | 0.700 | – | – | – |' in text
    assert '| molesol | fingerprints + forest | 1 (1' not in text
    assert 'a processor, 1 thread, PyTorch 2.13.0+cpu: 9 runs' in text
    assert '1 results of other settings' in text
    for name in re.findall(r'images/(\S+?)\)', text):
        assert name in first


def test_pages_of_all_tables(tmp_path):
    shutil.copytree(PAGES, tmp_path / 'reproduction')
    (tmp_path / 'README.md').write_text((ROOT / 'README.md').read_text())
    make(tmp_path, 'all')
    assert 'Not run yet.' in (tmp_path / 'README.md').read_text()
    for name in table_names(Table.report):
        text = (tmp_path / 'reproduction' / f'{name}.md').read_text()
        command = f'python -m benchmarks.reproduce {name}'
        assert f'Not run yet: `{command} ' in text


def test_committed_pages_are_what_their_results_give(tmp_path):
    shutil.copytree(PAGES, tmp_path / 'reproduction')
    readme = ROOT / 'README.md'
    (tmp_path / 'README.md').write_text(readme.read_text())
    main('all', docs=tmp_path, readme=tmp_path / 'README.md')
    for page in PAGES.glob('*.md'):
        made = tmp_path / 'reproduction' / page.name
        assert made.read_text() == page.read_text()
    assert (tmp_path / 'README.md').read_text() == readme.read_text()


def test_other_results_leave_the_committed_pages_alone(tmp_path):
    pages = [*PAGES.glob('*.md'), ROOT / 'README.md']
    before = [page.read_bytes() for page in pages]
    lines = [json.dumps(record) for record in results()]
    (tmp_path / 'table2.jsonl').write_text('\n'.join(lines) + '\n')
    main('all', results=tmp_path)
    assert before == [page.read_bytes() for page in pages]
    assert '1.150' in (tmp_path / 'reproduction' / 'table2.md').read_text()
    assert 'GMoE-GCN over GCN' in (tmp_path / 'README.md').read_text()
    assert (tmp_path / 'images' / 'reproduction-table2-cost.png').exists()


def test_files_of_results_are_parsed_once(tmp_path, monkeypatch):
    parsed = []
    read = store.read
    monkeypatch.setattr(
        store, 'read', lambda path: parsed.append(path) or read(path)
    )
    main('all', results=tmp_path)
    names = table_names(Table.report)
    assert len(parsed) == len(set(parsed)) == 2 * len(names)


def test_forest_is_a_line_beside_the_curves(tmp_path, monkeypatch):
    summaries, _ = summarise(load_table('table2'), results())
    figures = []
    monkeypatch.setattr(
        plots, 'save', lambda figure, path: figures.append(figure) or path
    )
    plots.draw_curves(list(summaries.values()), tmp_path / 'curves.png')
    (figure,) = figures
    for axis, part in zip(figure.axes, ('valid', 'test')):
        score = summaries['molesol/forest'].scores(part).mean()
        (line,) = [li for li in axis.lines if li.get_linestyle() == '--']
        assert set(line.get_ydata()) == {score}
        assert axis.get_ylim()[0] < score < axis.get_ylim()[1]
    plt.close(figure)


def test_training():
    cell = load_table('table2', 4).select(['molesol/gmoe-gcn'], None)[0]
    records = [result(cell, 0, 1.2), result(cell, 1, 1.2)]
    records[0]['curve'] = {
        'train_loss': [0.9, 0.8, 0.7, 0.6],
        'balance_loss': [0.3, 0.2, 0.2, 0.1],
        'valid': [9.0, 5.0, 1.0, 1.5],
        'test': [9.0, 5.0, 1.4, 1.2],
    }
    records[1]['curve'] = {
        'train_loss': [0.9, 0.8, 0.7, 0.8],
        'balance_loss': [0.3, 0.2, 0.2, 0.2],
        'valid': [9.0, 5.0, None, 1.5],
        'test': [9.0, 5.0, 1.4, 1.8],
    }
    records[1]['best_epoch'] = 4
    # Two layers of four experts; of the second run it is not known.
    records[0]['expert_usage'] = [[0.1, 0.2, 0.3, 0.4], [0.25] * 4]
    text = markdown.table_of(training([Summary(cell, records)]))
    assert text.splitlines()[2] == (
        '| molesol | GMoE-GCN | 2 (1 to 4) | 0.700 | 0.150 | 0.70 to 1.30 '
        '| ± 0.500 | ± 0.300 |'
    )
    records[0]['curve'] = {}
    assert training([Summary(cell, records)]) == []


def test_headline():
    table, records = load_table('table2'), results()
    test = stats.ttest_rel(SCORES['gcn'], SCORES['gmoe-gcn'])
    low, high = test.confidence_interval()
    found = {'table2': summarise(table, records)[0]}
    assert headline(found).splitlines()[2:] == [
        '| molesol (rmse ↓) | GMoE-GCN over GCN | 3 '
        '| 1.150 ± 0.050 (1.114 ± 0.036) | 1.090 ± 0.079 (1.087 ± 0.043) '
        f'| +0.060 [{low:+.3f}, {high:+.3f}] |'
    ]
    first = [record for record in records if record.get('seed') == 0]
    found = {'table2': summarise(table, first)[0]}
    assert headline(found).splitlines()[2:] == [
        '| molesol (rmse ↓) | GMoE-GCN over GCN | 1 '
        '| 1.100 (1.114 ± 0.036) | 1.000 (1.087 ± 0.043) | too few seeds |'
    ]


def test_compared_rows():
    pair = 'fingerprints + forest over GMoE-GCN'
    table = load_table('table2')
    summaries, left_out = summarise(table, results())
    assert pair not in write(table, summaries, left_out)
    table = replace(table, compare=(('forest', 'gmoe-gcn'),))
    assert pair in write(table, summaries, left_out)


def test_compare():
    table = load_table('table2')
    summaries, left_out = summarise(table, results())
    assert left_out == 1
    mixture, baseline = (
        summaries[f'molesol/{row}'] for row in ('gmoe-gcn', 'gcn')
    )
    found = compare(mixture, baseline)
    assert found.low < found.gain < found.high
    assert found.seeds == 3
    found = compare(baseline, mixture)
    assert found.gain == pytest.approx(-0.06)
    forest = summaries['molesol/forest']
    assert compare(forest, baseline).verdict == 'worse'
    assert compare(baseline, forest).verdict == 'better'
    same = compare(baseline, baseline)
    assert (same.gain, same.p_value) == (0, 1)
    baseline.records[:] = baseline.records[:1]
    assert compare(mixture, baseline) is None
    assert np.isclose(mixture.scores().mean(), 1.09)


def test_folds_are_not_independent():
    table = load_table('table2')
    summaries, _ = summarise(table, results())
    pair = [summaries[f'molesol/{row}'] for row in ('gmoe-gcn', 'gcn')]
    plain = compare(*pair)
    for summary in pair:
        summary.cell.settings['split'] = {'folds': 5}
    found = compare(*pair)
    assert found.gain == pytest.approx(plain.gain)
    # The variance of the mean of three folds, and a third for what their
    # training molecules have in common.
    wider = np.sqrt((1 / 3 + 1 / 3) / (1 / 3))
    width = found.high - found.low
    assert width == pytest.approx((plain.high - plain.low) * wider)
    assert found.p_value > plain.p_value


def test_grid():
    table = load_table('table2', 2)
    cells = search.candidates(table.select(['molfreesolv/gmoe-gcn'], None))
    records = [
        result(cell, seed, i + seed / 10, epochs=2)
        for i, cell in enumerate(cells)
        for seed in (0, 1)
    ]
    for record in records:
        record['test'] = None
    title, grid = grids(table, records).split('\n\n')
    assert title.startswith('Search of GMoE-GCN on molfreesolv: rmse')
    assert 'the least of which is chosen (seeds: 2, epochs: 2):' in title
    header, _, first, *rest = grid.splitlines()
    assert header.split(' | ')[1:3] == ['k=1, λ=0.1', 'k=1, λ=1']
    assert first == (
        '| n=4, m=0 | **0.150** | 1.150 | 2.150 | 3.150 | 4.150 | 5.150 |'
    )
    assert [line.split(' | ')[0] for line in rest] == [
        f'| n={n}, m={m}' for n, m in [(4, 2), (4, 4), (8, 0), (8, 4), (8, 8)]
    ]
    assert '35.150' in rest[-1]
    # A setting that is not there yet.
    assert '| **0.150** | – |' in grids(table, records[:2] + records[4:])
    assert grids(table, []) == ''


def test_errors(folder):
    with pytest.raises(ValueError, match="'table' must be one of .*'drop'"):
        main('table9', results=folder, docs=folder)
    (folder / 'reproduction' / 'table2.md').write_text('# Empty')
    with pytest.raises(ValueError, match='must have one line .*table2'):
        main('table2', results=folder, docs=folder)
    (folder / 'table2.jsonl').write_text('x\n')
    with pytest.raises(ValueError, match='line 1 of'):
        main('table2', results=folder, docs=folder)
