"""Records the results of a table, once each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.reproduce import store
from benchmarks.reproduce.run import Run
from benchmarks.reproduce.work import (
    PREDICTIONS,
    RESULT,
    read_result,
    write_result,
)


class Recorder:
    """Adds the results of a plan to a file, in the order of the plan.

    A result waits for those before it, so that the file is the same whatever
    ended first.

    Args:
        plan: The runs.
        path: The file.
        runs: The folder of all runs.
    """

    def __init__(self, plan: Sequence[Run], path: Path, runs: Path) -> None:
        self.plan = plan
        self.path = path
        self.runs = runs

    def is_there(self, run: Run) -> bool:
        """Whether the result of a run waits to be recorded.

        Args:
            run: The run.
        """
        return read_result(run.folder(self.runs)) is not None

    def missing(self) -> list[Run]:
        """The runs that are neither recorded nor wait to be."""
        known = {store.key_of(record) for record in store.read(self.path)}
        return [
            run
            for run in self.plan
            if run.key not in known and not self.is_there(run)
        ]

    def commit(self, gaps: bool = False) -> int:
        """Records what can be recorded.

        Args:
            gaps: Whether to go on after a run that is missing.
        """

        def make(known: set[store.Key]) -> list[store.Record]:
            new = []
            for run in self.plan:
                if run.key in known:
                    continue
                result = read_result(run.folder(self.runs))
                if result is not None:
                    new.append(_record(run, result))
                elif not gaps:
                    break
            return new

        return store.commit(self.path, make)

    def open_ensembles(self) -> list[list[Run]]:
        """The runs of each cell whose mean prediction is not recorded and can
        be made."""
        known = {store.key_of(record) for record in store.read(self.path)}
        return [
            runs
            for runs in self._recorded(known)
            if all(
                (run.folder(self.runs) / PREDICTIONS).exists() for run in runs
            )
            and (*runs[0].key[:2], tuple(run.seed for run in runs))
            not in known
        ]

    def commit_ensembles(self) -> int:
        """Records the mean prediction of each cell whose runs are there."""
        from benchmarks.reproduce.ensemble import ensemble

        new = []
        for runs in self.open_ensembles():
            result = read_result(runs[0].folder(self.runs))
            if result is None:
                continue
            mean = ensemble(runs, result['metric'], self.runs)
            if mean is not None:
                new.append(mean)
        return store.commit(self.path, lambda known: new)

    def adopt(self) -> None:
        """Takes over results of other tables: the same cell with the same
        settings is trained once."""
        others = {
            (record['digest'], record['seed']): record
            for record in self._others()
            if record['kind'] != 'ensemble'
        }
        known = {store.key_of(record) for record in store.read(self.path)}
        for run in self.plan:
            record = others.get((run.digest, run.seed))
            if record is None or run.key in known or self.is_there(run):
                continue
            head = ('kind', 'dataset', 'row', 'seed', 'digest', 'settings')
            rest = {k: v for k, v in record.items() if k not in head}
            path = run.folder(self.runs) / RESULT
            write_result(path, rest)

    def adopt_ensembles(self) -> None:
        """Takes over mean predictions of other tables, where they are those
        of all runs of a cell."""
        others = {
            (record['digest'], tuple(record['seeds'])): record
            for record in self._others()
            if record['kind'] == 'ensemble'
        }

        def make(known: set[store.Key]) -> list[store.Record]:
            new = []
            for runs in self._recorded(known):
                seeds = tuple(run.seed for run in runs)
                record = others.get((runs[0].digest, seeds))
                if record is not None:
                    new.append({**record, 'row': runs[0].cell.row})
            return new

        store.commit(self.path, make)

    def _recorded(self, known: set[store.Key]) -> list[list[Run]]:
        """The runs of each cell that has several, all of them recorded."""
        cells: dict[str, list[Run]] = {}
        for run in self.plan:
            cells.setdefault(run.cell.name, []).append(run)
        return [
            runs
            for runs in cells.values()
            if len(runs) > 1 and all(run.key in known for run in runs)
        ]

    def _others(self) -> Iterator[store.Record]:
        """The results of the other tables."""
        for path in sorted(self.path.parent.glob('*.jsonl')):
            if path != self.path:
                yield from store.read(path)


def _record(run: Run, result: dict[str, Any]) -> store.Record:
    cell = run.cell
    return {
        'kind': cell.kind,
        'dataset': cell.dataset,
        'row': cell.row,
        'seed': run.seed,
        'digest': run.digest,
        'settings': cell.settings,
        **result,
    }
