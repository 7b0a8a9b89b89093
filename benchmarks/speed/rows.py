"""Helpers of the benchmarks that time rows on batches of molecules."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch_geometric.data import Batch

from benchmarks.common.record import provenance, write_json
from gmoe.datasets import OGBMolDataset


def chosen(only: list[str] | str | None, known: Iterable[str]) -> list[str]:
    """The rows that are asked for.

    Args:
        only: A name, or several; all if not given.
        known: All names.

    Raises:
        SystemExit: If there is no such row.
    """
    known = list(known)
    names = [only] if isinstance(only, str) else only or known
    for name in names:
        if name not in known:
            raise SystemExit(f"'only' must hold some of {known}, got '{name}'")
    return names


def molecules(
    root: str,
    cache_dir: str | None,
    batch: list[int] | int | None,
    device: str,
) -> dict[int, Batch]:
    """Batches of molecules of ogbg-molhiv by their size, the same each time.

    Args:
        root: The folder of the OGB datasets.
        cache_dir: Where parsed datasets are kept.
        batch: A number of molecules, or several; 32 and 512 if not given.
        device: Where they go.
    """
    dataset = OGBMolDataset('ogbg-molhiv', root, cache_dir=cache_dir)
    batches = {}
    for size in [batch] if isinstance(batch, int) else batch or [32, 512]:
        generator = torch.Generator().manual_seed(0)
        index = torch.randperm(len(dataset), generator=generator)[:size]
        graphs = [dataset[int(i)] for i in index]
        batches[size] = Batch.from_data_list(graphs).to(device)
    return batches


def milliseconds(call: Callable[[], Any], number: int = 1) -> float:
    """How long a call takes, with what it leaves a GPU to do.

    Args:
        call: What is timed.
        number: How many calls are timed together.
    """
    _synchronize()
    start = time.perf_counter()
    for _ in range(number):
        call()
    _synchronize()
    return (time.perf_counter() - start) * 1e3 / number


def _synchronize() -> None:
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


def write_rows(
    path: Path | None, rows: list[dict[str, Any]], **settings: Any
) -> None:
    """Writes rows with how they were made, if a file is asked for.

    Args:
        path: The file.
        rows: The rows.
        **settings: What the command was given.
    """
    if path is not None:
        write_json(path, {**provenance(), **settings, 'rows': rows})


def line(row: dict[str, Any]) -> str:
    """The times and sizes of a row."""
    return f'{row["name"]} x {row["batch"]}: ' + ', '.join(
        f'{key} {value}'
        for key, value in row.items()
        if key.endswith(('_ms', '_mb'))
    )
