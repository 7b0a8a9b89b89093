"""Epochs with other allocators, on a small dataset."""

import json
from ctypes.util import find_library

import pytest

from benchmarks.common import markdown
from benchmarks.common.record import ROOT, read_result
from benchmarks.speed import allocators
from benchmarks.speed.allocators import NAME, WAYS, main, table

HAS_JEMALLOC = find_library('jemalloc') is not None


def test_main(data_root, tmp_path, monkeypatch):
    # A process each: two ways show whether any number changes.
    ways = [WAYS[0], WAYS[3 if HAS_JEMALLOC else 1]]
    monkeypatch.setattr(allocators, 'WAYS', ways)
    page = tmp_path / 'performance.md'
    page.write_text('\n'.join(markdown.markers(NAME)))
    main(
        root=data_root / 'ogb',
        table_name='table2',
        dataset='molfreesolv',
        rows=['tiny-gin'],
        epochs=1,
        rounds=1,
        results=tmp_path,
        docs=tmp_path,
    )
    record = json.loads((tmp_path / 'allocators.json').read_text())
    assert [row['way'] for row in record['rows']] == [w.label for w in ways]
    for row, way in zip(record['rows'], ways, strict=True):
        assert len(row['runs']) == 1
        for run in row['runs']:
            assert ('jemalloc' in run['preloaded']) == way.jemalloc
            # The allocator changes no number.
            assert run['loss'] == record['rows'][0]['runs'][0]['loss']
    assert table(record) in page.read_text()


def test_variables():
    sizes = [len(way.variables(1)) for way in WAYS]
    assert sizes[0] == sizes[1]
    preload = 2 if HAS_JEMALLOC else 0
    assert sizes[2:] == [sizes[0] + preload, sizes[0] + preload + 1]


@pytest.mark.parametrize('bad', [{'epochs': 0}, {'rounds': 0}, {'threads': 0}])
def test_refused_arguments(tmp_path, bad):
    with pytest.raises(SystemExit, match='at least 1, got'):
        main(root=tmp_path, results=tmp_path, **bad)


def test_committed_table():
    record = read_result('allocators')
    assert record is not None
    assert table(record) in (ROOT / 'docs' / 'performance.md').read_text()
