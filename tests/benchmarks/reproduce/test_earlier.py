"""Records of WebNLG of earlier versions are read as those of today."""

import json

from benchmarks.reproduce import store
from benchmarks.reproduce.earlier import upgraded

MODEL = {
    'model': 'gin',
    'kind': 'graph',
    'seed': 1,
    'settings': {'epochs': 2},
    'num_parameters': 3,
    'train_seconds': 4.0,
    'train_seconds_per_epoch': 2.0,
    'infer_seconds': 0.5,
    'environment': {'cpu threads': '1'},
}


def test_both_protocols_are_one_run(tmp_path):
    path = tmp_path / 'webnlg.jsonl'
    lines = [
        {**MODEL, 'protocol': protocol, 'accuracy': accuracy}
        for protocol, accuracy in (('clean', 0.5), ('published', 0.75))
    ]
    path.write_text(''.join(json.dumps(line) + '\n' for line in lines))
    results = store.Results(path)
    (record,) = results.records.values()
    assert record['kind'] == 'webnlg_graph'
    assert record['measured']['seconds'] == 4
    assert record['protocols'] == {line['protocol']: line for line in lines}
    # A record of today stands behind them, and is read as it is.
    other = {**record, 'seed': 2}
    assert results.commit(lambda: [record, other]) == 1
    assert upgraded(other) is other
    assert store.read(path) == [record, other]


def test_search():
    setting = {
        'conv': 'gin',
        'num_experts': 4,
        'num_experts_1hop': 2,
        'features': 'hashed',
        'mask_entities': 0.5,
        'mask_properties': 0.0,
        'batch_size': 8,
        'max_epochs': 5,
    }
    record = upgraded(
        {
            'name': 'hashed',
            'holdout': 3,
            'seed': 0,
            'weighted_f1': 0.5,
            'seconds_per_epoch': 2.0,
            'num_parameters': 7,
            'setting': setting,
        }
    )
    assert (record['dataset'], record['row']) == ('holdout3', 'hashed')
    assert record['valid'] == 0.5
    assert record['measured'] == {'seconds': 10}
    assert record['settings']['epochs'] == 5
    assert record['settings']['data']['holdout'] == 3
    assert record['settings']['data']['two_hop'] == 'exact'
    assert 'batch_size' not in record['settings']['model']
    assert setting['max_epochs'] == 5  # As it was.
