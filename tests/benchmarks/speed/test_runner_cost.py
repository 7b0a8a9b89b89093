"""The runner's own cost: what is counted, and that it is small."""

import json

import pytest

from benchmarks.common import markdown
from benchmarks.common.record import ROOT, read_result
from benchmarks.speed.runner_cost import NAME, main, summarise, table


def test_main(data_root, tmp_path):
    page = tmp_path / 'reproduction' / 'runner.md'
    page.parent.mkdir()
    page.write_text('\n'.join(markdown.markers(NAME)))
    main(
        root=data_root / 'ogb',
        rows=['tiny-gin'],
        seeds=2,
        epochs=2,
        results=tmp_path,
        docs=tmp_path,
    )
    record = json.loads((tmp_path / 'runner_cost.json').read_text())
    (row,) = record['rows']
    assert (record['epochs'], record['seeds'], row['name']) == (
        2,
        2,
        'tiny-gin',
    )
    assert 0 < row['epoch_seconds'] < row['seconds']
    assert len(row['shares']) == 2
    assert record['start_seconds'] > 0
    assert record['end_seconds'] > 0
    assert table(record) in page.read_text()


def test_summarise():
    records = [
        {'row': row, 'measured': {'seconds': seconds}}
        for row, seconds in (('a', 9.0), ('b', 4.0), ('a', 10.5))
    ]
    spans = [(105.0, 115.0), (115.0, 120.0), (120.0, 130.0)]
    result = summarise(records, spans, 100.0, 131.0)
    assert (result['start_seconds'], result['end_seconds']) == (5.0, 1.0)
    first, second = result['rows']
    assert first['seconds'] == 10.0
    assert first['epoch_seconds'] == 9.75
    assert first['share'] == pytest.approx(0.025)
    assert first['shares'] == pytest.approx([0.1, -0.05])
    assert second['share'] == pytest.approx(0.2)


def test_table_is_up_to_date():
    text = (ROOT / 'docs' / 'reproduction' / 'runner.md').read_text()
    content = table(read_result('runner_cost'))
    assert markdown.insert(text, NAME, content) == text
