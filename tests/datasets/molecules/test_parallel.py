"""Work on many molecules, by several processes."""

import os
import signal
from collections.abc import Sequence

import pytest

from gmoe.datasets.molecules.parallel import in_parallel, num_processes

SMILES = ['C' * (1 + i % 9) for i in range(700)]


def lengths(smiles: Sequence[str]) -> list[int]:
    return [len(text) for text in smiles]


def process(smiles: Sequence[str]) -> int:
    return os.getpid()


def end(smiles: Sequence[str]) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def refuse(smiles: Sequence[str]) -> None:
    raise ValueError('refused')


@pytest.mark.parametrize('num_workers', [0, 1, 2, None])
def test_keeps_the_order(num_workers: int | None):
    parts = in_parallel(lengths, SMILES, num_workers, 'Counts')
    assert [n for part in parts for n in part] == lengths(SMILES)


def test_processes_are_others():
    assert os.getpid() not in set(in_parallel(process, SMILES, 2))
    few = in_parallel(process, SMILES[:5], 2)
    assert set(few) == {os.getpid()}
    assert list(in_parallel(lengths, [], 2)) == []


def test_errors_come_through():
    with pytest.raises(ValueError, match='refused'):
        list(in_parallel(refuse, SMILES, 2))
    with pytest.raises(RuntimeError, match="'num_workers' of less than 2"):
        list(in_parallel(end, SMILES, 2))
    with pytest.raises(ValueError, match="'num_workers' must be"):
        num_processes(-1)
