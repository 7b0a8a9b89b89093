"""The display of runs that are under way."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta

from rich.console import Console
from rich.live import Live
from rich.table import Column, Table

from benchmarks.reproduce.estimate import Estimate
from benchmarks.reproduce.run import Run


def duration(seconds: float | None) -> str:
    """A number of seconds as hours, minutes and seconds.

    Args:
        seconds: The seconds, or :obj:`None` if not known.
    """
    if seconds is None:
        return 'not known yet'
    return str(timedelta(seconds=round(seconds)))


class Display:
    """Lists what will run, then says how far it is.

    Args:
        console: Where to print.
        workers: How many runs there are at a time.
    """

    def __init__(self, console: Console, workers: int) -> None:
        self.console = console
        self.workers = workers
        self._live: Live | None = None

    def announce(
        self, plan: Sequence[Run], todo: Sequence[Run], estimate: Estimate
    ) -> None:
        """Lists the cells, with what is done and what is left.

        Args:
            plan: All runs.
            todo: Those that are left.
            estimate: How long they take.
        """
        columns = ('settings from', 'seeds done', 'to do', 'each')
        table = Table(Column('cell', no_wrap=True), *columns)
        total = Counter(run.cell.name for run in plan)
        left = Counter(run.cell.name for run in todo)
        for cell in {run.cell.name: run.cell for run in plan}.values():
            each = estimate.seconds(Run(cell, 0))
            origin = 'a search' if cell.settings_from == 'search' else None
            table.add_row(
                cell.name,
                origin or cell.settings_from or 'the protocol',
                str(total[cell.name] - left[cell.name]),
                str(left[cell.name]),
                duration(each),
            )
        self.console.print(table)
        seconds = estimate.total((run, 0) for run in todo)
        if seconds is not None:
            seconds /= min(self.workers, max(1, len(todo)))
        self.console.print(
            f'{len(todo)} of {len(plan)} runs to do, {self.workers} at a '
            f'time; estimated time: {duration(seconds)}'
        )

    def __enter__(self) -> Display:
        if self.console.is_terminal:
            # Once a second: the display shall not take the runs' time.
            self._live = Live(console=self.console, refresh_per_second=1)
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, text: str) -> None:
        """Prints a line that stays."""
        stamp = time.strftime('%H:%M:%S')
        self.console.print(
            f'{stamp} {text}', highlight=False, markup=False, soft_wrap=True
        )

    def update(
        self,
        running: Iterable[tuple[Run, int]],
        waiting: int,
        done: int,
        seconds: float | None,
    ) -> None:
        """Shows how far it is.

        Args:
            running: What is under way, each with the number of epochs done.
            waiting: How many runs wait.
            done: How many are done.
            seconds: The time left.
        """
        if self._live is None:
            return
        table = Table.grid(padding=(0, 2))
        for run, epochs in running:
            share = epochs / run.epochs
            bar = '━' * round(share * 30)
            table.add_row(
                f'{run}', f'[green]{bar:<30}[/]', f'{epochs}/{run.epochs}'
            )
        table.add_row(
            f'[bold]{done} done, {waiting} waiting',
            f'time left: {duration(seconds)}',
        )
        self._live.update(table)
