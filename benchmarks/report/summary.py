"""The results of each cell of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.reproduce.run import digest
from benchmarks.reproduce.store import Record
from benchmarks.reproduce.tables import Cell, Table


@dataclass(frozen=True)
class Summary:
    """The results of a cell.

    Args:
        cell: The cell.
        records: Its results, by seed.
        ensemble: The test score of the mean prediction of these seeds, if it
            is known.
    """

    cell: Cell
    records: list[Record]
    ensemble: float | None = None

    @property
    def metric(self) -> str:
        """The name of the score."""
        return self.records[0]['metric']

    @property
    def scale(self) -> float:
        """The factor that scores are multiplied by in print."""
        return 1.0 if self.metric == 'rmse' else 100.0

    @property
    def digits(self) -> int:
        """The decimals of scores in print."""
        return 3 if self.metric == 'rmse' else 2

    @property
    def is_better_if_less(self) -> bool:
        """Whether less is better."""
        return self.metric == 'rmse'

    @property
    def is_mixture(self) -> bool:
        """Whether it is a network with more than one expert."""
        return self.cell.settings.get('model', {}).get('num_experts', 1) > 1

    @property
    def column(self) -> str:
        """The dataset and its score, in print."""
        arrow = '↓' if self.is_better_if_less else '↑'
        return f'{self.cell.dataset} ({self.metric} {arrow})'

    @property
    def paper(self) -> str | None:
        """The paper's score, in print, if it has one."""
        if self.cell.paper is None:
            return None
        return ' ± '.join(f'{x:.{self.digits}f}' for x in self.cell.paper)

    @property
    def epochs(self) -> int | None:
        """The number of epochs, if it has any."""
        return self.records[0]['settings'].get('epochs')

    @property
    def mean_epochs(self) -> float:
        """The mean number of epochs over seeds, of which there are fewer
        where trainings ended early."""
        curves = [r.get('curve', {}).get('valid') for r in self.records]
        return float(np.mean([len(c) if c else self.epochs for c in curves]))

    def scores(self, key: str = 'test') -> np.ndarray:
        """The scores of the seeds, as printed.

        Args:
            key: ``test`` or ``valid``.
        """
        return np.array([r[key] for r in self.records], float) * self.scale

    def spread(self, key: str = 'test') -> str:
        """The mean and the standard deviation over seeds, in print.

        Args:
            key: ``test`` or ``valid``.
        """
        values = self.scores(key)
        text = f'{values.mean():.{self.digits}f}'
        if len(values) > 1:
            text += f' ± {values.std(ddof=1):.{self.digits}f}'
        return text

    def measured(self, key: str) -> float:
        """The mean over seeds of what was measured."""
        return float(np.mean([r['measured'][key] for r in self.records]))

    @property
    def seconds_per_epoch(self) -> float:
        """The mean over seeds of the seconds of an epoch, if it has any."""
        return self.measured('seconds') / self.mean_epochs

    def constant(self, key: str) -> float | None:
        """The mean over seeds of a property of the network."""
        values = [r[key] for r in self.records]
        return None if None in values else float(np.mean(values))

    def of_seeds(self, seeds: Sequence[int]) -> np.ndarray:
        """The test scores of some seeds."""
        by_seed = dict(zip((r['seed'] for r in self.records), self.scores()))
        return np.array([by_seed[seed] for seed in seeds])


def summarise(
    table: Table, records: Sequence[Record], key: str = 'test'
) -> tuple[dict[str, Summary], int]:
    """Groups results by cell. Of results with the cell's settings, those with
    the most epochs are taken.

    Args:
        table: The table.
        records: All results of its file.
        key: The score that results must have.

    Returns:
        The cells that have results, by name, and the number of results that
        are left out.
    """
    out, used = {}, 0
    for cell in table.cells:
        own = [
            r
            for r in records
            if (r['dataset'], r['row']) == (cell.dataset, cell.row)
        ]
        runs = [
            r
            for r in own
            if r['kind'] != 'ensemble'
            and r[key] is not None
            and _without_epochs(r['settings'])
            == _without_epochs(cell.settings)
        ]
        if not runs:
            continue
        epochs = max(r['settings'].get('epochs', 0) for r in runs)
        runs = [r for r in runs if r['settings'].get('epochs', 0) == epochs]
        runs.sort(key=lambda r: r['seed'])
        name = digest(cell.dataset, runs[0]['settings'])
        # A mean over luckier seeds than the row's would say nothing.
        seeds = [r['seed'] for r in runs]
        means = [
            r['test']
            for r in own
            if r['kind'] == 'ensemble'
            and r['digest'] == name
            and sorted(r['seeds']) == seeds
        ]
        out[cell.name] = Summary(cell, runs, means[-1] if means else None)
        used += len(runs)
    total = sum(r['kind'] != 'ensemble' for r in records)
    return out, total - used


def hardware(summaries: Sequence[Summary]) -> list[str]:
    """The machines of the runs, with the number of runs on each."""
    counts: Counter[str] = Counter()
    for summary in summaries:
        for record in summary.records:
            counts[_machine(record)] += 1
    return [f'{name}: {n} runs' for name, n in sorted(counts.items())]


def _machine(record: Record) -> str:
    environment = record['environment']
    threads = environment['cpu threads']
    name = environment['cuda devices']
    if name == 'none':
        plural = '' if threads == '1' else 's'
        name = f'{record["processor"]}, {threads} thread{plural}'
    return f'{name}, PyTorch {environment["torch"]}'


def _without_epochs(settings: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in settings.items() if k != 'epochs'}
