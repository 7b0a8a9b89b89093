"""Estimates how long runs take, from those that are done or under way."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable
from pathlib import Path

from benchmarks.reproduce.run import Run
from benchmarks.reproduce.search import searched
from benchmarks.reproduce.store import Record


class Estimate:
    """The seconds of an epoch of each cell.

    Args:
        records: Results that are there.
        root: The folder of the datasets.
    """

    def __init__(self, records: Iterable[Record], root: Path) -> None:
        self.root = root
        self._known: dict[tuple[str, str], float] = {}
        self._sizes: dict[str, int] = {}
        for record in records:
            if record['kind'] == 'ensemble':
                continue
            epochs = record['settings'].get('epochs', 1)
            key = record['dataset'], record['row']
            self._known[key] = record['measured']['seconds'] / epochs

    def observe(self, run: Run, epochs: int, seconds: float) -> None:
        """Learns from a run under way.

        Args:
            run: The run.
            epochs: How many of its epochs are done.
            seconds: How long they took.
        """
        key = run.cell.dataset, run.cell.row
        self._known[key] = seconds / epochs

    def seconds(self, run: Run, epochs_done: int = 0) -> float | None:
        """The seconds that the rest of a run takes, :obj:`None` if not known.

        Args:
            run: The run.
            epochs_done: How much of it is done.
        """
        key = run.cell.dataset, run.cell.row
        rest = run.epochs - epochs_done
        if key in self._known:
            return self._known[key] * rest
        # The same model with other settings, as in a search.
        kin = [
            value
            for (dataset, row), value in self._known.items()
            if dataset == run.cell.dataset
            and searched(row) == searched(run.cell.row)
        ]
        if kin:
            return sum(kin) / len(kin) * rest
        # The same model on another dataset, by their sizes.
        for (dataset, row), value in self._known.items():
            if row == run.cell.row:
                ratio = self._size(run.cell.dataset) / self._size(dataset)
                return value * ratio * rest
        return None

    def total(self, runs: Iterable[tuple[Run, int]]) -> float | None:
        """The seconds that all runs take one after the other. Unknown ones
        count as the mean of the others; :obj:`None` if none is known.

        Args:
            runs: The runs, each with the number of epochs that are done.
        """
        seconds = [self.seconds(*run) for run in runs]
        known = [s for s in seconds if s is not None]
        if not known:
            return None if seconds else 0.0
        return sum(known) * len(seconds) / len(known)

    def _size(self, dataset: str) -> int:
        if dataset not in self._sizes:
            name = f'ogbg_{dataset}'
            paths = [
                path
                for folder in (f'{name}_pyg', name)
                for path in self.root.glob(f'{folder}/split/*/train.csv.gz')
            ]
            self._sizes[dataset] = 1
            if paths:
                with gzip.open(paths[0], 'rt') as file:
                    self._sizes[dataset] = sum(1 for _ in csv.reader(file))
        return self._sizes[dataset]
