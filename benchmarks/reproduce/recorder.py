"""Records the results of a table, once each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.reproduce.job import (
    PREDICTIONS,
    RESULT,
    read_object,
    write_object,
)
from benchmarks.reproduce.run import Run
from benchmarks.reproduce.store import Record, Results


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
        self.results = Results(path)
        self.runs = runs
        # Those of the other tables.
        self._others = [
            Results(other)
            for other in sorted(path.parent.glob('*.jsonl'))
            if other != path
        ]

    def missing(self) -> list[Run]:
        """The runs that are neither recorded nor wait to be."""
        return [
            run
            for run in self.plan
            if run.key not in self.results and self._result(run) is None
        ]

    def commit(self, gaps: bool = False) -> int:
        """Records what can be recorded.

        Args:
            gaps: Whether to go on after a run that is missing.
        """

        def make() -> Iterator[Record]:
            for run in self.plan:
                if run.key in self.results:
                    continue
                result = self._result(run)
                if result is not None:
                    yield _record(run, result)
                elif not gaps:
                    break

        return self.results.commit(make)

    def open_ensembles(self) -> list[list[Run]]:
        """The runs of each cell whose mean prediction is not recorded and can
        be made."""
        return [
            runs
            for runs in self._recorded()
            if all(
                (run.folder(self.runs) / PREDICTIONS).exists() for run in runs
            )
            and (*runs[0].key[:2], tuple(run.seed for run in runs))
            not in self.results
        ]

    def commit_ensembles(self) -> int:
        """Records the mean prediction of each cell whose runs are there."""
        from benchmarks.reproduce.ensemble import ensemble

        new = []
        for runs in self.open_ensembles():
            result = self._result(runs[0])
            if result is None:
                continue
            mean = ensemble(runs, result['metric'], self.runs)
            if mean is not None:
                new.append(mean)
        return self.results.commit(lambda: new)

    def adopt(self) -> None:
        """Takes over results of other tables: the same cell with the same
        settings is trained once."""
        others = {
            (record['digest'], record['seed']): record
            for record in self._of_others()
            if record['kind'] != 'ensemble'
        }
        head = ('kind', 'dataset', 'row', 'seed', 'digest', 'settings')
        for run in self.missing():
            record = others.get((run.digest, run.seed))
            if record is not None:
                rest = {k: v for k, v in record.items() if k not in head}
                write_object(run.folder(self.runs) / RESULT, rest)

    def adopt_ensembles(self) -> None:
        """Takes over mean predictions of other tables, where they are those
        of all runs of a cell."""
        others = {
            (record['digest'], tuple(record['seeds'])): record
            for record in self._of_others()
            if record['kind'] == 'ensemble'
        }

        def make() -> Iterator[Record]:
            for runs in self._recorded():
                seeds = tuple(run.seed for run in runs)
                record = others.get((runs[0].digest, seeds))
                if record is not None:
                    yield {**record, 'row': runs[0].cell.row}

        self.results.commit(make)

    def _result(self, run: Run) -> dict[str, Any] | None:
        """The result of a run that waits to be recorded."""
        return read_object(run.folder(self.runs) / RESULT)

    def _recorded(self) -> list[list[Run]]:
        """The runs of each cell that has several, all of them recorded."""
        cells: dict[str, list[Run]] = {}
        for run in self.plan:
            cells.setdefault(run.cell.name, []).append(run)
        return [
            runs
            for runs in cells.values()
            if len(runs) > 1 and all(run.key in self.results for run in runs)
        ]

    def _of_others(self) -> Iterator[Record]:
        for results in self._others:
            results.refresh()
            yield from results.records.values()


def _record(run: Run, result: dict[str, Any]) -> Record:
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
