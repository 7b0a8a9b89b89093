"""A search covers the paper's grid and looks at validation only."""

import yaml

from benchmarks.reproduce import search, store
from benchmarks.reproduce.run import plan
from benchmarks.reproduce.tables import load, load_table, read_chosen


def test_grid_is_chosen_from_on_validation(tmp_path, monkeypatch):
    cells = search.candidates(load_table('table2', 5).cells)
    assert len(cells) == 2 * 2 * 3 * 3 * 2
    assert len({cell.name for cell in cells}) == len(cells)
    assert not any(c.settings['data']['test_curve'] for c in cells)
    assert all(
        c.settings['model']['num_experts_1hop']
        in (0, c.settings['model']['num_experts'] // 2)
        for c in cells
        if c.settings['data']['two_hop'] == 'exact'
    )

    path = tmp_path / 'search.jsonl'
    best = 'molesol/gmoe-gcn@n8-m4-k2-lambda1'

    def results():
        return [
            {
                'kind': 'network',
                'dataset': run.cell.dataset,
                'row': run.cell.row,
                'digest': run.digest,
                'seed': run.seed,
                'metric': 'rmse',
                'valid': 0.5 if run.cell.name == best else 1.0 + run.seed,
            }
            for run in plan(cells, range(2))
            # One of the other dataset is missing.
            if run.cell.name != 'molfreesolv/gmoe-gcn@n4-m0-k1-lambda1'
        ]

    file = store.Results(path)
    file.commit(results)
    chosen = search.choose(cells, range(2), file.records)
    assert list(chosen) == ['molesol/gmoe-gcn']
    model = {
        'num_experts': 8,
        'num_experts_1hop': 4,
        'top_k': 2,
        'balance_weight': 1.0,
    }
    assert chosen['molesol/gmoe-gcn'] == {
        'model': model,
        'valid': 0.5,
        'candidates': 36,
        'seeds': [0, 1],
        'epochs': 5,
    }

    # A table can refer to what was chosen.
    (tmp_path / 'shared').mkdir()
    shared = load.TABLES / 'shared' / 'rows.yaml'
    (tmp_path / 'shared' / 'rows.yaml').write_text(shared.read_text())
    table = yaml.safe_load((load.TABLES / 'table2.yaml').read_text())
    monkeypatch.setattr(load, 'TABLES', tmp_path)
    for cell in table['cells']:
        is_chosen = (cell['row'], cell['dataset']) == ('gmoe-gcn', 'molesol')
        cell['settings_from'] = 'search' if is_chosen else 'the test'
    (tmp_path / 'table2.yaml').write_text(yaml.safe_dump(table))
    # A small search has a file of its own.
    own = tmp_path / 'own' / 'chosen.yaml'
    assert search.write_chosen('table2', chosen, own) == own
    assert yaml.safe_load(own.read_text()) == chosen
    assert not read_chosen('table2')
    search.write_chosen('table2', chosen)
    (cell,) = load_table('table2').select(['molesol/gmoe-gcn'], None)
    settings = cell.settings['model']
    assert {key: settings[key] for key in model} == model
    assert settings['hidden_channels'] == 212
