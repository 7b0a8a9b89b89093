"""The entries that both protocols train and test on."""

from benchmarks.reproduce.kinds.webnlg_parts import load_parts


def test_load_keeps_both_protocols(data_root):
    parts = load_parts(data_root / 'webnlg')
    sizes = [len(p) for p in (parts.train, parts.dev, parts.test)]
    assert sizes == [13211, 1667, 1363]
    assert len(parts.repeated) == 3097
    assert set(parts.repeated) == set(range(1363))
