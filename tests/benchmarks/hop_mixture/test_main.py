"""The main job, small."""

import json

from benchmarks.hop_mixture.__main__ import MODELS, main


def test_main(tmp_path, capsys):
    main(hidden=8, num_graphs=60, max_epochs=2, folder=tmp_path)
    assert 'HopMixture, equal cost' in capsys.readouterr().out
    record = json.loads((tmp_path / 'results.json').read_text())
    assert [r['name'] for r in record['results']] == list(MODELS)
    for result in record['results']:
        assert 0 <= result['test_accuracy'] <= 1
        assert len(result['epochs']) == 2
        if result['name'] == 'GCN':
            assert result['routing'] is None
            assert result['hidden_channels'] == 8
        else:
            assert result['hidden_channels'] == 7  # 8 / sqrt(1.5)
            assert 0 <= result['routing']['right_query_nodes'] <= 1
    assert (tmp_path / 'hop_mixture.png').stat().st_size > 10_000
    assert {'commit', 'command', 'environment'} <= set(record)
