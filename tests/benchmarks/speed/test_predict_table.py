"""The speed of ``gmoe predict``, on a small table."""

import json

from benchmarks.speed.predict_table import main


def test_small_table(data_root, tmp_path):
    main(data_root / 'ogb', (20,), with_descriptors=10, results=tmp_path)
    rows = json.loads((tmp_path / 'predict_table.json').read_text())['rows']
    assert [row['molecules'] for row in rows] == [20, 10]
    for row in rows:
        assert row['molecules_per_second'] >= 0
        assert 100 < row['peak_memory_mb'] < 3000
