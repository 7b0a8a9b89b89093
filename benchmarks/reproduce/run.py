"""One run: a cell with a seed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.reproduce.tables import Cell


@dataclass(frozen=True)
class Run:
    """A cell with a seed.

    Args:
        cell: The cell.
        seed: The seed.
    """

    cell: Cell
    seed: int

    @property
    def digest(self) -> str:
        """A hash of the settings."""
        return digest(self.cell.dataset, self.cell.settings)

    @property
    def key(self) -> tuple[str, str, int]:
        """Names the result in a file of results."""
        return self.cell.name, self.digest, self.seed

    @property
    def epochs(self) -> int:
        """The number of epochs; a run without epochs counts as one."""
        return self.cell.settings.get('epochs', 1)

    def __str__(self) -> str:
        return f'{self.cell.name}, seed {self.seed}'

    def folder(self, runs: Path) -> Path:
        """Its own folder, the same whatever table it is part of.

        Args:
            runs: The folder of all runs.
        """
        return runs / self.cell.dataset / f'{self.digest}-seed{self.seed}'


def digest(dataset: str, settings: dict[str, Any]) -> str:
    """A hash of settings."""
    text = json.dumps([dataset, settings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def plan(cells: Iterable[Cell], seeds: Iterable[int]) -> list[Run]:
    """The runs in the order in which they are done and recorded: seed by
    seed, so that there is an early result for each cell. A cell with the same
    result for all seeds is done once.
    """
    cells = list(cells)
    return [
        Run(cell, seed)
        for number, seed in enumerate(seeds)
        for cell in cells
        if number == 0 or not cell.is_fixed
    ]
