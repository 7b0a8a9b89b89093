"""Work on many molecules in several processes."""

import os
from collections.abc import Sequence

import pytest

from gmoe.datasets.molecules.parallel import (
    FEW,
    default_workers,
    map_chunks,
)

SMILES = ['C' * (1 + i % 9) for i in range(700)]


def lengths(smiles: Sequence[str]) -> list[int]:
    return [len(text) for text in smiles]


def process(smiles: Sequence[str]) -> int:
    return os.getpid()


def refuse(smiles: Sequence[str]) -> None:
    raise ValueError('refused')


@pytest.mark.parametrize('num_workers', [0, 1, 2, None])
def test_keeps_the_order(num_workers: int | None):
    parts = list(map_chunks(lengths, SMILES, num_workers, 'Counts', 64))
    assert [len(part) for part in parts] == [64] * 10 + [60]
    assert [n for part in parts for n in part] == lengths(SMILES)


def test_processes_are_others():
    assert os.getpid() not in set(map_chunks(process, SMILES, 2))
    assert list(map_chunks(process, SMILES[:5], 2)) == [os.getpid()]
    assert list(map_chunks(lengths, [], 2)) == []
    assert default_workers(FEW) >= 1
    assert default_workers(FEW - 1) == 0


def test_refuses():
    with pytest.raises(ValueError, match='refused'):
        list(map_chunks(refuse, SMILES, 2))
    with pytest.raises(ValueError, match="'num_workers' must be"):
        list(map_chunks(lengths, SMILES, -1))
