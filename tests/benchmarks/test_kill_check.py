"""The command that kills the runner."""

import json

import pytest

from benchmarks.kill_check import disturb, main


def test_records_the_same(data_root, tmp_path):
    main(
        data_root / 'ogb',
        kills=1,
        epochs=40,
        seeds=1,
        longest=3.0,
        results=tmp_path,
    )
    result = json.loads((tmp_path / 'kill_check.json').read_text())
    assert result['same'] is True
    assert result['undisturbed'] == result['killed']
    assert len(result['kills']) == 1
    assert {kill['killed'] for kill in result['kills']} <= {'runner', 'worker'}


def test_too_many_kills(data_root, tmp_path):
    arguments = '--cells', 'molfreesolv/forest', '--seeds', '1'
    with pytest.raises(RuntimeError, match="'kills' must be fewer .* after"):
        disturb(tmp_path, data_root / 'ogb', 1000, 5.0, 0, *arguments)
