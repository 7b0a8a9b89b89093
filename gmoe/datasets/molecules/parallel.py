"""Work on many molecules, by several processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from gmoe.common.arguments import check_integer
from gmoe.common.require import require

Result = TypeVar('Result')

#: Below this many molecules, processes take longer to start than they save.
FEW = 200
#: Molecules of one task of a process.
CHUNK = 64


def num_processes(num_workers: int | None) -> int:
    """Returns how many processes do the work.

    Args:
        num_workers: As many; `0` for this process alone, :obj:`None` for one
            for each core that this process may use.
    """
    if num_workers is not None:
        check_integer(0, num_workers=num_workers)
        return num_workers
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_parallel(
    function: Callable[[Sequence[str]], Result],
    smiles: Sequence[str],
    num_workers: int | None = None,
    title: str | None = None,
) -> Iterator[Result]:
    """Yields what a function returns for each :obj:`CHUNK` of the SMILES
    strings, in their order.

    Args:
        function: A function of a module, or a partial one.
        smiles: The strings.
        num_workers: See :func:`num_processes`.
        title: What a progress bar says; :obj:`None` for no bar.

    Raises:
        RuntimeError: If a process was ended from outside, such as for its
            memory.
    """
    chunks = [smiles[i : i + CHUNK] for i in range(0, len(smiles), CHUNK)]
    processes = num_processes(num_workers)
    is_long = processes > 1 and len(smiles) >= FEW
    with _bar(title if len(smiles) >= FEW else None, len(smiles)) as advance:
        results = _processed if is_long else _here
        for chunk, result in zip(chunks, results(function, chunks, processes)):
            advance(len(chunk))
            yield result


def _here(
    function: Callable[[Any], Result], chunks: list[Any], processes: int
) -> Iterator[Result]:
    return map(function, chunks)


def _processed(
    function: Callable[[Any], Result], chunks: list[Any], processes: int
) -> Iterator[Result]:
    # Copies of this process start at once; new ones would read all packages
    # again.
    kinds = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context('fork' if 'fork' in kinds else None)
    pool = ProcessPoolExecutor(processes, context, _ignore_interrupts)
    try:
        yield from pool.map(function, chunks)
    except BrokenProcessPool as error:
        raise RuntimeError(
            'A process that worked on molecules was ended from outside, '
            "perhaps for its memory: try 'num_workers' of less than "
            f'{processes}'
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _ignore_interrupts() -> None:
    # The first process hears of it, and ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class _bar:
    """A progress bar of rich, on a terminal only."""

    def __init__(self, title: str | None, total: int) -> None:
        self.progress: Any = None
        if title is not None:
            progress = require('rich.progress')
            console = require('rich.console').Console(stderr=True)
            self.progress = progress.Progress(
                *progress.Progress.get_default_columns(),
                progress.MofNCompleteColumn(),
                console=console,
                disable=not console.is_terminal,
                transient=True,
            )
            self.task = self.progress.add_task(title, total=total)

    def __enter__(self) -> Callable[[int], None]:
        if self.progress is None:
            return lambda count: None
        self.progress.start()
        return lambda count: self.progress.advance(self.task, count)

    def __exit__(self, *error: Any) -> None:
        if self.progress is not None:
            self.progress.stop()
