from pathlib import Path

import pytest

from benchmarks.reliability.refusals import codes, stale
from gmoe.datasets import OGBMolDataset


def test_all_stale_graphs_are_refused():
    counts = stale(60)
    left_out = counts['right'] + counts['not changed by PyG']
    assert counts['stale'] + left_out == 60
    assert counts['stale'] > 40
    for name in ('alone', 'in a batch'):
        assert counts[f'by the fingerprint, {name}'] == counts['stale']
        assert counts[f'by a layer, {name}'] >= 0.95 * counts['stale']


def test_codes_of_molecules(data_root: Path, tmp_path: Path):
    pytest.importorskip('rdkit')
    dataset = OGBMolDataset(
        'ogbg-molesol', data_root / 'ogb', cache_dir=tmp_path, download=False
    )
    counts = codes(dataset, every=20)
    assert counts['molecules'] == 57
    assert counts['same'] >= 56
    assert counts["OGB's refused"] == 0
    assert counts["PyG's refused"] >= 55
