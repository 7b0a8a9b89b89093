"""Epochs beside OGB's script, on a small dataset."""

import json

import pytest

from benchmarks.common import markdown
from benchmarks.common.record import ROOT, read_result
from benchmarks.speed.ogb_loop import OGBLoop
from benchmarks.speed.ogb_script import LABELS, NAME, main, summarise, table
from gmoe.datasets import OGBMolDataset


@pytest.mark.usefixtures('one_thread')
def test_main(data_root, tmp_path):
    page = tmp_path / 'performance.md'
    page.write_text('\n'.join(markdown.markers(NAME)))
    main(
        root=data_root / 'ogb',
        dataset='molfreesolv',
        rounds=1,
        threads=1,
        results=tmp_path,
        docs=tmp_path,
    )
    record = json.loads((tmp_path / 'ogb_script.json').read_text())
    assert [row['name'] for row in record['rows']] == list(LABELS)
    for row in record['rows']:
        assert min(row['parts'].values()) > 0
        assert row['seconds'] >= row['parts']['train']
        assert row['label'] in page.read_text()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'rounds': 0}, "'rounds' must be at least 1, got 0"),
        ({'dataset': 'moltox21'}, "one task, got 'moltox21' with 12"),
    ],
)
@pytest.mark.usefixtures('one_thread')
def test_errors(data_root, arguments, message):
    with pytest.raises(SystemExit, match=message):
        main(root=data_root / 'ogb', **arguments)


def test_loop_learns(data_root):
    dataset = OGBMolDataset('ogbg-molfreesolv', data_root / 'ogb')
    loop = OGBLoop(dataset)
    before = loop.score('train')
    parts = loop.epoch()
    assert list(parts) == ['train', 'score_train', 'score_valid', 'score_test']
    assert loop.score('train') < before


def test_summarise():
    measured = {
        'script': [
            {'train': 8.0, 'score_train': 1.0, 'score_test': 1.0},
            {'train': 16.0, 'score_train': 2.0, 'score_test': 2.0},
        ],
        'gmoe-gcn': [{'train': 5.0}, {'train': 30.0}],
        'gcn': [{'train': 10.0}, {'train': 20.0}],
    }
    rows = {row['name']: row for row in summarise(measured)}
    assert rows['script']['ratio'] == 1.0
    assert rows['script-no-train-score']['ratio'] == 0.9
    assert 'score_train' not in rows['script-no-train-score']['parts']
    mixture = rows['gmoe-gcn']
    ratios = [mixture[key] for key in ('ratio', 'ratio_min', 'ratio_max')]
    assert ratios == [1.0, 0.5, 1.5]


def test_table_is_up_to_date():
    text = (ROOT / 'docs' / 'performance.md').read_text()
    content = table(read_result('ogb_script'))
    assert markdown.insert(text, NAME, content) == text
