"""The time that graphs take, of a small dataset."""

import json

from benchmarks.speed.featurize import main


def test_small_dataset(data_root, tmp_path):
    main(data_root / 'ogb', 'ogbg-molfreesolv', 1, results=tmp_path)
    result = json.loads((tmp_path / 'featurize.json').read_text())
    assert result['molecules'] == result['graphs'] == 642
    assert result['seconds'] >= 0
