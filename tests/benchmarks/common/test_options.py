"""The command line of a benchmark."""

import sys
from pathlib import Path

import pytest

from benchmarks.common.options import at_least_one, run


def main(root: Path, name: str = '~', results: Path | None = None) -> list:
    """Says what it was given.

    Args:
        root: A folder.
        name: A name.
        results: Another folder.
    """
    return [root, name, results]


def test_home(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv('HOME', '/home/someone')
    monkeypatch.setattr(sys, 'argv', ['run', '--root=~/ogb'])
    assert run(main, as_positional=False) == [
        Path('/home/someone/ogb'),
        '~',
        None,
    ]
    monkeypatch.setattr(sys, 'argv', ['run', 'x', '--results', '~/r'])
    assert run(main) == [Path('x'), '~', Path('/home/someone/r')]


def test_numbers_below_one():
    at_least_one(rounds=1, threads=2)
    with pytest.raises(
        SystemExit, match="'threads' must be at least 1, got 0"
    ):
        at_least_one(rounds=1, threads=0)
