"""The command that kills the runner."""

import json

from benchmarks.reliability.kill_check import main


def test_records_the_same(data_root, tmp_path):
    main(
        data_root / 'ogb',
        kills=2,
        epochs=30,
        seeds=1,
        longest=1.0,
        random_seed=1,
        results=tmp_path,
    )
    result = json.loads((tmp_path / 'kill_check.json').read_text())
    assert result['same'] is True
    assert result['undisturbed'] == result['killed']
    assert len(result['kills']) == 2
    assert any(kill['in_training'] for kill in result['kills'])
    assert {kill['killed'] for kill in result['kills']} <= {'runner', 'worker'}
