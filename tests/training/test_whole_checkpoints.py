"""Checkpoints are there as a whole, or as they were before."""

import errno
from pathlib import Path

import pytest
import torch

from gmoe.common.files import replacing
from gmoe.training.checkpoint import read_checkpoint
from gmoe.training.whole_checkpoints import WholeCheckpoints

CHECKPOINT = {
    'state_dict': {'weight': torch.arange(6.0)},
    'hyper_parameters': {'top_k': 2},
    'epoch': 3,
}


def test_written_checkpoint_is_read(tmp_path):
    path = tmp_path / 'a' / 'last.ckpt'
    WholeCheckpoints().save_checkpoint(CHECKPOINT, path)
    read = read_checkpoint(path)
    assert read['state_dict']['weight'].tolist() == [0, 1, 2, 3, 4, 5]
    assert [file.name for file in path.parent.iterdir()] == ['last.ckpt']
    with pytest.raises(ValueError, match='optimizer_states'):
        read_checkpoint(path, resume=True)


def test_checkpoint_before_stays_where_the_next_one_fails(tmp_path):
    path = tmp_path / 'last.ckpt'
    WholeCheckpoints().save_checkpoint(CHECKPOINT, path)
    before = path.read_bytes()
    # What a killed process leaves is removed.
    with replacing(path) as file:
        left = Path(file.name)
        file.write(before)
    left.write_bytes(before[:100])
    WholeCheckpoints().save_checkpoint(CHECKPOINT, path)
    assert [file.name for file in tmp_path.iterdir()] == ['last.ckpt']
    folder = tmp_path / 'folder.ckpt'
    folder.mkdir()
    with pytest.raises(OSError, match='folder.ckpt') as error:
        WholeCheckpoints().save_checkpoint(CHECKPOINT, folder)
    assert error.value.errno == errno.EISDIR
    assert read_checkpoint(path)['epoch'] == 3
