"""The tables name settings that networks accept."""

from collections import Counter

import pytest
import yaml

from benchmarks.common.record import ROOT
from benchmarks.reproduce import search
from benchmarks.reproduce.run import Run, plan
from benchmarks.reproduce.store import COMMITTED, Results
from benchmarks.reproduce.tables import (
    Table,
    load,
    load_table,
    table_names,
)
from gmoe.datasets import ogb_mol_info
from gmoe.nn import hidden_for_equal_cost
from gmoe.training import (
    GraphPredictor,
    TriplePredictor,
    WebNLGDataModule,
)

#: Rows that are trained as a configuration of the command line says.
RECIPES = ('default', 'single', 'fast')
PAPER = table_names(Table.report)


@pytest.mark.parametrize('name', PAPER)
def test_every_cell(name):
    table = load_table(name)
    assert table.seeds == 10
    for cell in table.cells:
        info = ogb_mol_info(f'ogbg-{cell.dataset}')
        if cell.kind != 'network':
            assert set(cell.settings) - {'split'} == {cell.kind}
            continue
        model = cell.settings['model']
        network = GraphPredictor(
            f'ogbg-{cell.dataset}',
            info.task_type,
            info.eval_metric,
            out_channels=info.num_tasks,
            **model,
        )
        if cell.row not in RECIPES:
            assert cell.settings['epochs'] == 100
        needs = 'exact' if network.gnn.num_hops == 2 else None
        assert cell.settings['data']['two_hop'] == needs
        if 'top_k' in model and cell.row not in RECIPES:
            width = hidden_for_equal_cost(300, model['top_k'])
            assert model['hidden_channels'] == width
            assert cell.settings_from is not None


#: How many runs of each table are committed, at the least.
DONE = {
    'combine': 52,
    'dispatch': 100,
    'drop': 40,
    'ensembles': 24,
    'experts': 30,
    'folds': 0,
    'heterogeneity': 0,
    'hops': 120,
    'molecules': 120,
    'recipe': 0,
    'routers': 35,
    'switch': 0,
    'table1': 60,
    'table2': 80,
    'table3': 40,
    'table4': 0,
    'table5': 0,
    'table6': 50,
    'table7': 12,
    'webnlg': 24,
    'webnlg-search': 44,
}


@pytest.mark.parametrize('name', table_names())
def test_committed_runs_are_done(name):
    # What a run is known by stays as it was when its result was recorded.
    table = load_table(name)
    runs = plan(table.cells, range(table.seeds))
    records = Results(COMMITTED / f'{name}.jsonl').records
    assert sum(run.key in records for run in runs) >= DONE[name]


@pytest.mark.parametrize('name', RECIPES)
def test_recipe(name):
    # All that the configuration says, in place of the protocol's.
    path = ROOT / 'gmoe' / 'molecules' / 'configs' / f'{name}.yaml'
    config = yaml.safe_load(path.read_text())
    cells = load_table('molecules').select([name], None)
    assert len(cells) == 7
    for cell in cells:
        model, data = cell.settings['model'], cell.settings['data']
        assert model.items() >= config['model']['init_args'].items()
        assert data.items() >= config['data']['init_args'].items()
        assert cell.settings['epochs'] == config['trainer']['max_epochs']


def test_search_is_done():
    cells = search.candidates(load_table('table2').cells)
    records = Results(COMMITTED / 'table2-search.jsonl').records
    assert sum(run.key in records for run in plan(cells, [0])) >= 36


def test_names_of_tables():
    assert set(PAPER) < set(table_names())
    assert table_names('benchmarks.webnlg.table') == ['webnlg']


def test_webnlg():
    table = load_table('webnlg')
    assert (table.seeds, table.root) == (3, 'data/webnlg')
    runs = plan(table.cells, range(3))
    counts = Counter(run.cell.row for run in runs)
    assert counts['gmoe-gin'] == counts['bert-all'] == 3
    assert counts['tfidf-all'] == 1  # All seeds give the same.
    for cell in load_table('webnlg-search').cells:
        model, data = cell.settings['model'], dict(cell.settings['data'])
        has_hop_2 = model['num_experts_1hop'] < model['num_experts']
        assert data['two_hop'] == ('exact' if has_hop_2 else None)
        data['encoder'] = __file__
        TriplePredictor(text_channels=16, **model)
        assert WebNLGDataModule(**data).holdout is not None


def test_single_expert_costs_as_much():
    sizes = {}
    for cell in load_table('webnlg-search').select(['base', 'single'], None):
        model = cell.settings['model']
        size = model['hidden_channels'] ** 2 * (model['top_k'] or 1)
        sizes[cell.row] = size
    assert sizes['single'] == pytest.approx(sizes['base'], rel=0.01)


def test_changes():
    table = load_table('webnlg').change({'bf16': False, 'epochs': 2})
    cells = {cell.row: cell.settings for cell in table.cells}
    assert cells['gin']['epochs'] == cells['bert-all']['epochs'] == 2
    assert cells['bert-all']['bf16'] is False
    assert 'bf16' not in cells['gin']
    assert cells['tfidf-all'] == load_table('webnlg').cells[5].settings
    assert load_table('webnlg').quick().cells[0].settings['quick']
    forest, gcn = (
        load_table('table2')
        .quick()
        .select(['molesol/forest', 'molesol/gcn'], None)[::-1]
    )
    assert gcn.settings['epochs'] == 1
    assert 'quick' not in gcn.settings
    assert set(forest.settings) == {'forest'}


def test_papers_numbers():
    table = load_table('table2')
    assert {cell.name: cell.paper for cell in table.cells if cell.paper} == {
        'molesol/gcn': (1.114, 0.036),
        'molfreesolv/gcn': (2.64, 0.239),
        'molesol/gmoe-gcn': (1.087, 0.043),
        'molfreesolv/gmoe-gcn': (2.5, 0.193),
    }


def test_plan_and_identity():
    cells = load_table('table2', 3).select(['gcn', 'molesol/forest'], None)
    runs = plan(cells, range(2))
    assert [str(run) for run in runs[:4]] == [
        'molesol/gcn, seed 0',
        'molfreesolv/gcn, seed 0',
        'molesol/forest, seed 0',
        'molesol/gcn, seed 1',
    ]
    assert runs[0].epochs == 3
    assert runs[2].epochs == 1
    # The same settings are the same run, in whatever table.
    shared = load_table('table6').select(['molfreesolv/n8-m0-k4'], None)[0]
    other = load_table('hops').select(['molfreesolv/hop-2'], None)[0]
    assert Run(shared, 0).digest == Run(other, 0).digest
    assert Run(shared, 0).digest != runs[1].digest


@pytest.mark.parametrize(
    ('entry', 'message'),
    [
        ({'row': 'gat'}, "an unknown row 'gat'"),
        ({'top_k': 2}, "an unknown key 'top_k'"),
        ({'dataset': None}, "'dataset' missing"),
        ({'row': 'gmoe-gcn'}, "without its baseline 'molesol/gcn'"),
        ({'settings_from': 'search'}, 'which no search has chosen'),
        ({}, "unknown row 'gat' in 'compare'"),
    ],
)
def test_bad_file(entry, message, tmp_path, monkeypatch):
    (tmp_path / 'shared').mkdir()
    shared = load.TABLES / 'shared' / 'rows.yaml'
    (tmp_path / 'shared' / 'rows.yaml').write_text(shared.read_text())
    cell = {'row': 'gin', 'dataset': 'molesol', **entry}
    cell = {key: value for key, value in cell.items() if value is not None}
    text = {'title': '', 'source': '', 'cells': [cell]}
    if not entry:
        text['compare'] = [['gin', 'gat']]
    (tmp_path / 'mine.yaml').write_text(yaml.safe_dump(text))
    monkeypatch.setattr(load, 'TABLES', tmp_path)
    with pytest.raises(ValueError, match=f'mine.yaml has .*{message}'):
        load_table('mine')
