"""Work that other processes do ahead of its use, never too far."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

Item = TypeVar('Item')

#: How many results per process wait to be used, at most.
DEPTH = 3

_work: Callable[[Any], Any] | None = None


def ahead(
    work: Callable[[Any], Any],
    items: Iterable[tuple[Item, Any]],
    num_workers: int,
) -> Iterator[tuple[Item, Any]]:
    """Yields each item with what a function makes of its second part, in
    their order.

    Items are taken and worked on a few ahead of what is asked for, so that
    any number of them takes little memory.

    Args:
        work: The function, which other processes get a copy of.
        items: What is yielded again, and what the function is called with.
        num_workers: The number of processes, 0 for this one.

    Raises:
        RuntimeError: If a process was ended from outside.
    """
    if num_workers == 0:
        for item, argument in items:
            yield item, work(argument)
        return
    # Copies of this process start at once; new ones would read all packages
    # again.
    kinds = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context('fork' if 'fork' in kinds else None)
    pool = ProcessPoolExecutor(num_workers, context, _start, (work,))
    waiting: deque[tuple[Item, Future[Any]]] = deque()
    try:
        for item, argument in items:
            waiting.append((item, pool.submit(_run, argument)))
            if len(waiting) > DEPTH * num_workers:
                first, result = waiting.popleft()
                yield first, result.result()
        while waiting:
            first, result = waiting.popleft()
            yield first, result.result()
    except BrokenProcessPool as error:
        raise RuntimeError(
            'A process that worked on molecules was ended from outside, '
            "perhaps for its memory: try 'num_workers' of less than "
            f'{num_workers}'
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start(work: Callable[[Any], Any]) -> None:
    global _work
    _work = work
    # The first process hears of an interrupt, and ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # A process that is killed does not tell those that it has started.
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _run(argument: Any) -> Any:
    assert _work is not None
    return _work(argument)
