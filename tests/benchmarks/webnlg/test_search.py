import json

import pytest

from benchmarks.webnlg import search as webnlg_search
from benchmarks.webnlg.search import BASE, SETTINGS, main, read, table
from gmoe.datasets.webnlg.holdout import part_of
from gmoe.training import TriplePredictor, WebNLGDataModule
from tests.datasets.webnlg_files import write_release


def test_settings_can_be_made():
    own = ('features', 'mask_entities', 'mask_properties', 'batch_size')
    for name, setting in SETTINGS.items():
        options = {**BASE, **setting}
        options.pop('max_epochs')
        data = {key: options.pop(key) for key in own}
        TriplePredictor(text_channels=16, **options)
        WebNLGDataModule(**data, encoder=__file__, two_hop=None)
        assert name == 'base' or setting
        assert set(options) - {'hide_root', 'hide_entities'} <= {
            *BASE,
            'readout',
            'relation_features',
        }


def test_single_expert_costs_as_much():
    sizes = {}
    for name in ('base', 'single'):
        options = {**BASE, **SETTINGS[name]}
        sizes[name] = options['hidden_channels'] ** 2 * (options['top_k'] or 1)
    assert sizes['single'] == pytest.approx(sizes['base'], rel=0.01)


def test_runs_are_recorded_once(tmp_path, monkeypatch, capsys):
    entries = {
        f'train/1triples/{name}.xml': [
            ('Food', 'Id1', [f'{name} | country | Nowhere{name}'])
        ]
        for name in 'abcdefghij'
    }
    root = write_release(tmp_path, entries)
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    small = {**BASE, 'hidden_channels': 8, 'batch_size': 8}
    monkeypatch.setattr(webnlg_search, 'BASE', {**small, 'max_epochs': 1})
    path = tmp_path / 'out.jsonl'
    holdout = part_of('Aarhus Airport')
    arguments = (str(root), ['hashed'], (holdout,), (0, 1), path)
    main(*arguments)
    rows = read(path)
    assert [(row['name'], row['seed']) for row in rows] == [
        ('hashed', 0),
        ('hashed', 1),
    ]
    for row in rows:
        assert 0 <= row['weighted_f1'] <= 1
        assert row['setting']['features'] == 'hashed'
        assert row['scored'] == 'new'
    main(*arguments)
    assert read(path) == rows
    assert capsys.readouterr().out.count('| hashed |') == 2


def test_table():
    rows = [
        {'name': name, 'weighted_f1': score}
        for name, score in (('a', 0.5), ('b', 0.75), ('a', 0.7))
    ]
    assert table(rows).splitlines()[2:] == [
        '| b | 0.7500 | 1 |',
        '| a | 0.6000 ± 0.1414 | 2 |',
    ]
    assert json.dumps(BASE)
