"""A checkpoint is gone on from only where it is whole."""

import torch

from benchmarks.reproduce.kinds.fitting import is_whole


def test_whole_checkpoints(tmp_path):
    path = tmp_path / 'last.ckpt'
    assert not is_whole(path)
    torch.save({'x': torch.ones(1000)}, path)
    assert is_whole(path)
    whole = path.read_bytes()
    for cut in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        assert not is_whole(path)
