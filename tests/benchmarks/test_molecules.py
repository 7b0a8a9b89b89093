"""A short run on real molecules is recorded and goes on."""

import json

import pytest

from benchmarks.molecules import main


def test_main(data_root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(max_epochs):
        main(
            'molfreesolv-gcn',
            root=str(data_root / 'ogb'),
            max_epochs=max_epochs,
            cache_dir=str(tmp_path / 'cache'),
            results=tmp_path,
        )
        path = tmp_path / 'molfreesolv-gcn-seed0.json'
        return json.loads(path.read_text())

    first = run(1)
    assert first['dataset'] == 'ogbg-molfreesolv'
    assert first['metric'] == 'rmse'
    assert [row['epoch'] for row in first['epochs']] == [0]
    second = run(2)
    assert [row['epoch'] for row in second['epochs']] == [0, 1]
    assert second['epochs'][0] == first['epochs'][0]
    assert second['valid'] == pytest.approx(
        min(row['valid'] for row in second['epochs']), abs=1e-5
    )
    assert second['train_seconds_per_epoch'] > 0


def test_unknown_experiment():
    with pytest.raises(SystemExit, match='must be one of .*molbbbp-gcn'):
        main('molxyz')
