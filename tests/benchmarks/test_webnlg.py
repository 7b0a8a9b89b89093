"""Every kind of model on a slice, under both protocols, and stopped runs."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict

import numpy as np
import pytest

reason = "the extra 'text' is not installed"
pytest.importorskip('transformers', reason=reason)
pytest.importorskip('accelerate', reason=reason)
pytest.importorskip('sklearn', reason=reason)

from benchmarks.common import markdown  # noqa: E402
from benchmarks.common.record import RESULTS, ROOT  # noqa: E402
from benchmarks.webnlg import graph, results, table  # noqa: E402
from benchmarks.webnlg.__main__ import main  # noqa: E402
from benchmarks.webnlg.data import Parts, load  # noqa: E402
from benchmarks.webnlg.records import (  # noqa: E402
    Epoch,
    Run,
    records,
    routing_by_category,
)
from gmoe.datasets import WebNLGEntry  # noqa: E402


def entry(category, eid):
    triple = (category, 'is', eid)
    return WebNLGEntry('file', eid, category, '', '', (triple,))


@pytest.fixture
def parts():
    test = [entry('Airport', '0'), entry('City', '1'), entry('Food', '2')]
    kind = ['seen', 'unseen_entities', 'unseen_entities']
    repeated = np.array([0, 1, 1, 2])
    return Parts([], [entry('City', '3')], test, kind, repeated)


def test_protocols_choose_epochs_and_entries(parts):
    airport, city, food = 0, 6, 9
    run = Run(
        10,
        {'a': 1},
        [
            # The best on the test entries, and not the one that was chosen.
            Epoch(1, 0.1, [city], [airport, city, food], 1.0, 2.0),
            Epoch(2, 0.9, [food], [airport, city, city], 3.0, 2.0),
        ],
    )
    clean, published = records(run, parts)
    assert (clean['protocol'], clean['epoch']) == ('clean', 2)
    assert (published['protocol'], published['epoch']) == ('published', 1)
    assert published['accuracy'] == published['weighted_f1'] == 1
    assert clean['accuracy'] == pytest.approx(2 / 3)
    assert clean['entries']['accuracy'] == pytest.approx(3 / 4)
    assert clean['subsets']['seen']['accuracy'] == 1
    assert clean['subsets']['unseen_entities']['graphs'] == 2
    assert clean['subsets']['unseen_entities']['accuracy'] == 0.5
    assert clean['dev_weighted_f1'] == 0
    assert clean['train_seconds'] == 4
    assert np.array(clean['confusion']).sum() == 3
    assert clean['confusion'][food][city] == 1


def test_routing_by_category():
    weights = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    rows = routing_by_category(weights, np.array([3, 3, 5]))
    assert rows[3] == rows[5] == [0.5, 0.5]
    assert rows[0] == [0, 0]


def test_differences_are_paired_over_seeds():
    def result(model, seed, score):
        return {
            'model': model,
            'kind': 'text',
            'seed': seed,
            'protocol': 'clean',
            'weighted_f1': score,
        }

    one, other = 'bert-moe-all', 'bert-all'
    found = [result(one, 0, 0.5), result(one, 1, 0.7), result(one, 2, 0.9)]
    found += [result(other, 0, 0.4), result(other, 1, 0.5)]
    found += [{**r, 'protocol': 'published'} for r in found]
    rows = table.comparisons(found).splitlines()
    half = 0.05 * 12.7062  # Of two values, with one degree of freedom.
    interval = f'{0.15 - half:+.4f} to {0.15 + half:+.4f}'
    assert rows[2] == (
        f'| {one} - {other} | clean | 2 | +0.1500 | {interval} |'
    )


def test_results_are_replaced_and_found(tmp_path):
    path = tmp_path / 'results.jsonl'
    first = {'model': 'a', 'seed': 0, 'protocol': 'clean', 'settings': {}}
    other = {**first, 'seed': 1}
    results.append(path, [first, other])
    results.append(path, [{**first, 'settings': {'b': 2}}])
    assert len(results.read(path)) == 2
    assert results.find(results.read(path), 'a', 1, {}) == [other]
    assert results.find(results.read(path), 'a', 0, {}) == []
    with path.open('a') as file:
        file.write('{"model": "cut o')
    assert len(results.read(path)) == 2
    with path.open('a') as file:
        file.write('\n')
    with pytest.raises(ValueError, match='line 3 of .*results.jsonl'):
        results.read(path)


def test_load_keeps_both_protocols(data_root):
    parts = load(str(data_root / 'webnlg'))
    sizes = [len(p) for p in (parts.train, parts.dev, parts.test)]
    assert sizes == [13211, 1667, 1363]
    assert len(parts.repeated) == 3097
    assert set(parts.repeated) == set(range(1363))
    quick = load(str(data_root / 'webnlg'), quick=True)
    assert len(quick.kind) == len(quick.test) == 96
    assert set(quick.repeated) == set(range(96))


def test_main(data_root, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr('benchmarks.webnlg.__main__.RUNS', tmp_path / 'runs')
    path = tmp_path / 'results.jsonl'
    models = ['gmoe-gin', 'tfidf-first', 'bert-moe-first']

    def run():
        root = str(data_root / 'webnlg')
        main(root, models, quick=True, output=path)
        return capsys.readouterr().out

    assert 'done' not in run()
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert [r['model'] for r in found] == [m for m in models for _ in '12']
    assert {r['kind'] for r in found} == {'graph', 'text'}
    for record in found:
        assert 0 <= record['weighted_f1'] <= 1
        if record['protocol'] == 'clean':
            assert np.array(record['confusion']).sum() == 96
            if record['model'] != 'tfidf-first':
                rows = np.array(record['routing']).sum(axis=1)
                layers = np.array(record['routing']).shape[1] // 4
                np.testing.assert_allclose(rows[rows > 0], layers, atol=1e-2)
    assert run().count('done') == 3
    assert path.read_text().count('\n') == 6

    docs = tmp_path / 'webnlg.md'
    parts = ('scores', 'subsets', 'comparisons', 'costs')
    names = [f'{table.NAME} {part}' for part in parts]
    docs.write_text('\n'.join(m for n in names for m in markdown.markers(n)))
    table.main(path, docs, tmp_path)
    text = docs.read_text()
    assert text.count('| bert-moe-first |') == 3
    assert f'{found[0]["weighted_f1"]:.4f}' in text
    assert (tmp_path / 'webnlg_confusion.png').stat().st_size > 0
    # By default, other results have a page beside them.
    committed = table.DOCS.read_bytes()
    docs.unlink()
    table.main(path)
    assert text.split() == docs.read_text().split()
    assert table.DOCS.read_bytes() == committed


def test_other_settings_have_a_file_of_their_own(tmp_path, monkeypatch):
    paths = []

    def stop(*arguments):
        raise KeyboardInterrupt

    def note(path):
        paths.append(path)
        return stop()

    monkeypatch.setattr('benchmarks.webnlg.data.load', lambda *_: None)
    monkeypatch.setattr('benchmarks.webnlg.results.read', note)
    for arguments in (
        {},
        {'models': ['gin'], 'threads': 1},
        {'epochs': 1},
        {'epochs': 2},
        {'seeds': (7,)},
        {'quick': True},
    ):
        with pytest.raises(KeyboardInterrupt):
            main('nowhere', **arguments)
    committed = RESULTS / 'webnlg.jsonl'
    assert paths[:2] == [committed, committed]
    assert len(set(paths)) == 5
    for path in paths[2:]:
        assert path.is_relative_to(ROOT / 'runs')


def test_epochs_that_were_cut_off(tmp_path):
    assert graph.read_epochs(tmp_path, 1) is None
    text = json.dumps(asdict(Epoch(1, 1.0, [0], [1], 0.1, 0.2)))
    for number in (1, 2):
        (tmp_path / f'epoch-{number}.json').write_text(text)
    assert len(graph.read_epochs(tmp_path, 2) or []) == 2
    for content in ('', text[:-9], '{}', '[]'):
        (tmp_path / 'epoch-1.json').write_text(content)
        assert graph.read_epochs(tmp_path, 2) is None


def test_killed_run_goes_on(data_root, tmp_path):
    # A process of its own, which is killed after its first epoch.
    script = (
        'from pathlib import Path; import sys\n'
        'from benchmarks.webnlg import graph\n'
        'run = graph.train("gmoe-gin", 0, Path(sys.argv[1]), sys.argv[2],'
        ' quick=True, epochs=3)\n'
        'print([epoch.test for epoch in run.epochs])\n'
    )

    def start(folder):
        return subprocess.Popen(
            [sys.executable, '-c', script, str(folder), str(data_root)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )

    data_root = data_root / 'webnlg'
    whole = graph.train(
        'gmoe-gin', 0, tmp_path / 'whole', str(data_root), True, epochs=3
    )
    stopped = start(tmp_path / 'stopped')
    last = 'fit/version_0/checkpoints/last.ckpt'
    while not (tmp_path / 'stopped' / last).exists():
        assert stopped.poll() is None
        time.sleep(0.05)
    os.kill(stopped.pid, signal.SIGKILL)
    stopped.communicate()
    again = start(tmp_path / 'stopped').communicate()[0].splitlines()[-1]
    assert again == str([epoch.test for epoch in whole.epochs])


def test_unknown_model():
    with pytest.raises(SystemExit, match="'models' must be of .*tfidf-all"):
        main('nowhere', ['tfidf-some'])
