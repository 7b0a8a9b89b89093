"""The speed benchmark, small."""

import json

import pytest

from benchmarks.speed.step_time import main


def test_main(data_root, tmp_path, capsys):
    path = tmp_path / 'times.json'
    main(
        root=str(data_root / 'ogb'),
        only=['gcn-n8-k4-d150', 'gcn-n16-k2-d212'],
        batch=[4],
        rounds=1,
        json=path,
    )
    assert 'gmoe against its peers' in capsys.readouterr().out
    first, second = json.loads(path.read_text())['rows']
    assert (first['name'], first['batch']) == ('gcn-n8-k4-d150', 4)
    for model in ('single', 'dense', 'gmoe'):
        assert first[f'{model}_train_ms'] > 0
        assert first[f'{model}_infer_ms'] > 0
        assert first[f'{model}_peak_mb'] >= 0
    assert 'dense_train_ms' not in second


def test_unknown_row():
    with pytest.raises(SystemExit, match="gcn-n8-k4-d150.*'nothing'"):
        main(only=['nothing'])
