"""Work on many molecules in several processes."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import torch
from rich.console import Console
from rich.progress import track
from torch.utils.data import DataLoader, Dataset

from gmoe.common.arguments import check_integer

#: Fewer molecules than this are not worth other processes, nor a bar.
FEW = 2_000
CHUNK = 500

Out = TypeVar('Out')


def map_chunks(
    function: Callable[[list[Any]], Out],
    items: Sequence[Any],
    num_workers: int | None = None,
    label: str | None = None,
    size: int = CHUNK,
) -> Iterator[Out]:
    """Yields what a function makes of chunks of items, in their order.

    The processes are PyTorch's of loaders: they end with this one, however
    it ends.

    Args:
        function: What is done to a list of items.
        items: All items.
        num_workers: The number of other processes. (default: one for each
            CPU this one may use, or none for a few items)
        label: What a progress bar on the standard error says; no bar without
            it, or for a few items.
        size: The number of items of a chunk.

    Raises:
        ValueError: If the number of processes is negative.
    """
    if num_workers is None:
        num_workers = default_workers(len(items))
    check_integer(0, num_workers=num_workers)
    chunks = _Chunks(function, items, size)
    num_workers = min(num_workers, len(chunks))
    if num_workers < 2 or multiprocessing.current_process().daemon:
        num_workers = 0
    loader: DataLoader[Out] = DataLoader(
        chunks,
        batch_size=None,
        collate_fn=_as_it_is,
        num_workers=num_workers,
        # A loader draws a number when it starts: none of the program's.
        generator=torch.Generator(),
        multiprocessing_context=_context() if num_workers else None,
    )
    yield from track(
        loader,
        description=label or '',
        total=len(chunks),
        console=Console(stderr=True),
        disable=label is None or len(items) < FEW,
    )


def default_workers(num_items: int) -> int:
    """The number of processes for a number of molecules.

    Args:
        num_items: How many there are.
    """
    if num_items < FEW:
        return 0
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _context() -> str | None:
    # Elsewhere the system's own way, for which scripts need a main guard.
    return 'fork' if sys.platform == 'linux' else None


class _Chunks(Dataset[Any]):
    def __init__(
        self,
        function: Callable[[list[Any]], Any],
        items: Sequence[Any],
        size: int,
    ) -> None:
        self._function, self._items, self._size = function, items, size

    def __len__(self) -> int:
        return -(-len(self._items) // self._size)

    def __getitem__(self, i: int) -> Any:
        start = i * self._size
        return self._function(list(self._items[start : start + self._size]))


def _as_it_is(value: Any) -> Any:
    return value
