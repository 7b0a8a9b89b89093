"""Results are added once, whatever was cut off and whoever else adds."""

import json
import multiprocessing

import pytest

from benchmarks.reproduce import store


def record(seed):
    return {
        'kind': 'network',
        'dataset': 'molesol',
        'row': 'gcn',
        'digest': 'x',
        'seed': seed,
    }


def add(path, seeds):
    results = store.Results(path)
    for seed in seeds:
        results.commit(lambda seed=seed: [record(seed)])


def test_each_once(tmp_path):
    path = tmp_path / 'new' / 'results.jsonl'
    assert store.read(path) == []
    add(path, [0, 1, 0])
    assert store.read(path) == [record(0), record(1)]
    mean = {**record(None), 'kind': 'ensemble', 'seeds': [0, 1]}
    for _ in range(2):
        store.Results(path).commit(lambda: [mean])
    assert store.read(path) == [record(0), record(1), mean]


def test_line_that_was_cut_off(tmp_path):
    path = tmp_path / 'results.jsonl'
    add(path, [0])
    whole = path.read_text()
    for cut in (1, len(whole) // 2, len(whole) - 1):
        path.write_text(whole + whole.replace('0', '1')[:cut])
        assert store.read(path) == [record(0)]
        add(path, [2])
        assert store.read(path) == [record(0), record(2)]


def test_many_at_once(tmp_path):
    path = tmp_path / 'results.jsonl'
    context = multiprocessing.get_context('fork')
    processes = [
        context.Process(target=add, args=(path, range(20))) for _ in range(4)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert sorted(r['seed'] for r in store.read(path)) == list(range(20))


def test_each_line_is_parsed_once(tmp_path, monkeypatch):
    path = tmp_path / 'results.jsonl'
    add(path, range(3))
    parsed = []
    monkeypatch.setattr(store, '_check', lambda r: parsed.append(r['seed']))
    results = store.Results(path)
    add_more = store.Results(path)
    assert parsed == [0, 1, 2] * 2
    parsed.clear()
    add_more.commit(lambda: [record(3)])
    results.refresh()
    results.commit(lambda: [record(3), record(4), record(4)])
    assert parsed == [3, 3, 4]
    assert [r['seed'] for r in results.records.values()] == [*range(5)]
    path.write_text('')  # Another file in its place.
    results.refresh()
    assert not results.records


@pytest.mark.parametrize('line', ['nonsense', '[]', '{"seed": 0}', '1'])
def test_corrupt_line(line, tmp_path):
    path = tmp_path / 'results.jsonl'
    path.write_text(f'{json.dumps(record(0))}\n{line}\n')
    message = "line 2 of '.*results.jsonl' must be a JSON object"
    with pytest.raises(ValueError, match=message):
        store.read(path)
    with pytest.raises(ValueError, match=message):
        add(path, [1])


def test_finite():
    assert store.finite(float('nan')) is None
    assert store.finite(1 / 3) == 0.333333
