import pytest
import torch

from gmoe.training.checkpoint import read_checkpoint

CHECKPOINT = {
    'state_dict': {'weight': torch.arange(6.0)},
    'hyper_parameters': {'top_k': 2},
    'epoch': 3,
}


@pytest.mark.parametrize(
    ('write', 'word'),
    [
        (lambda path: path.touch(), 'empty'),
        (lambda path: path.mkdir(), 'directory'),
        (lambda path: path.write_bytes(b'e' * 99), 'no archive'),
        (lambda path: torch.save([1, 2], path), 'holds a list'),
        (lambda path: torch.save({'weight': torch.ones(2)}, path), 'no '),
        (
            lambda path: torch.save(
                CHECKPOINT, path, _use_new_zipfile_serialization=False
            ),
            'no archive',
        ),
        (
            lambda path: torch.save(
                {**CHECKPOINT, 'epoch': pytest.raises}, path
            ),
            'cannot be read',
        ),
    ],
)
def test_files_that_are_no_checkpoints(tmp_path, write, word):
    path = tmp_path / 'some.ckpt'
    write(path)
    with pytest.raises(ValueError, match=word) as error:
        read_checkpoint(path)
    assert str(path) in str(error.value)
