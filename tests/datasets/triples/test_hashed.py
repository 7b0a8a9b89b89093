"""Features of texts by hashes: their norm, and the same in every process."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from gmoe.datasets.triples.hashed import hashed_features

TEXTS = ['Aarhus Airport', 'Aarhus', 'birth place', '', 'aarhus airport']


def test_hashed():
    out = hashed_features(TEXTS, 64)
    assert out.shape == (5, 64)
    assert out.dtype == torch.float
    norm = out.norm(dim=1)
    assert torch.allclose(norm, torch.tensor([1.0, 1.0, 1.0, 0.0, 1.0]))
    assert torch.equal(out[0], out[4])
    # What is spelled alike is alike.
    assert float(out[0] @ out[1]) > 0.4 > float(out[0] @ out[2])
    assert torch.equal(hashed_features(TEXTS[1:], 64), out[1:])


def test_hashed_in_another_process():
    code = (
        'from gmoe.datasets.triples.hashed import hashed_features as f;'
        f'print(f({TEXTS!r}, 32).flatten().tolist())'
    )
    run = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', code],
        env={'PYTHONHASHSEED': '7', 'PYTHONPATH': str(Path.cwd())},
        capture_output=True,
        text=True,
        check=True,
    )
    expected = hashed_features(TEXTS, 32).flatten().tolist()
    assert run.stdout.strip() == str(expected)


@pytest.mark.parametrize(
    ('args', 'message'),
    [((0,), 'dim'), ((8, (0, 3)), 'ngrams'), ((8, (4, 3)), 'ngrams')],
)
def test_hashed_raises(args: tuple, message: str):
    with pytest.raises(ValueError, match=message):
        hashed_features(['a'], *args)
