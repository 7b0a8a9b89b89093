"""A file of results that is only ever added to, one JSON object per line."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from benchmarks.common import json_lines
from benchmarks.common.json_lines import Record

Key = tuple[Hashable, ...]


def read(path: Path) -> list[Record]:
    """The results in a file, none if it does not exist. The rest of a line
    whose writing was cut off is left out.

    Args:
        path: The file.

    Raises:
        ValueError: If a line is not a JSON object.
    """
    return json_lines.read(path, _check)


def key_of(record: Record) -> Key:
    """What no two lines of a file share.

    Args:
        record: A result.
    """
    name = f'{record["dataset"]}/{record["row"]}'
    if record['kind'] == 'ensemble':
        return name, record['digest'], tuple(record['seeds'])
    return name, record['digest'], record['seed']


def commit(path: Path, make: Callable[[set[Key]], list[Record]]) -> int:
    """Adds results, each once however many processes do this.

    Args:
        path: The file.
        make: Makes the new results from the keys of those that are there.

    Returns:
        How many there are new.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path) as file:
        content = file.read()
        whole = content[: content.rfind(b'\n') + 1]
        known = {
            key_of(record) for record in json_lines.parse(whole, path, _check)
        }
        new = []
        for record in make(known):
            if key_of(record) not in known:
                known.add(key_of(record))
                new.append(record)
        if new:
            if len(whole) < len(content):  # A line that was cut off.
                file.truncate(len(whole))
            lines = [json.dumps(r, allow_nan=False) + '\n' for r in new]
            file.seek(0, os.SEEK_END)
            file.write(''.join(lines).encode())
            file.flush()
            os.fsync(file.fileno())
    return len(new)


def finite(value: float) -> float | None:
    """A number as JSON has it.

    Args:
        value: A number, perhaps NaN.
    """
    value = float(value)
    return round(value, 6) if abs(value) < float('inf') else None


@contextmanager
def _locked(path: Path) -> Iterator[IO[bytes]]:
    with path.open('a+b') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        yield file


def _check(record: Record) -> None:
    hash(key_of(record))
