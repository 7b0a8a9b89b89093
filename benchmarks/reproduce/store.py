"""A file of results that is only ever added to, one JSON object per line."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from typing import IO

from benchmarks.common import json_lines
from benchmarks.common.json_lines import Record
from benchmarks.common.record import RESULTS
from benchmarks.reproduce.earlier import upgraded

#: Where the results of the tables' own seeds and epochs are committed.
COMMITTED = RESULTS / 'reproduce'

Key = tuple[Hashable, ...]


def read(path: Path) -> list[Record]:
    """The results in a file, none if it does not exist. The rest of a line
    whose writing was cut off is left out.

    Raises:
        ValueError: If a line is not a JSON object.
    """
    return list(Results(path).records.values())


def key_of(record: Record) -> Key:
    """The key of a result, which no two lines of a file share."""
    name = f'{record["dataset"]}/{record["row"]}'
    if record['kind'] == 'ensemble':
        return name, record['digest'], tuple(record['seeds'])
    return name, record['digest'], record['seed']


class Results:
    """The results in a file, of which each line is parsed once.

    Args:
        path: The file, none if there are no results yet.

    Raises:
        ValueError: If a line is not a JSON object.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        #: The results as of the last look at the file.
        self.records: dict[Key, Record] = {}
        self._size = 0
        self._lines = 0
        self.refresh()

    def refresh(self) -> None:
        """Reads what was added by others."""
        if self.path.exists():
            with self.path.open('rb') as file:
                self._read(file)

    def commit(self, make: Callable[[], Iterable[Record]]) -> int:
        """Adds results, each once however many processes do this.

        Args:
            make: Makes the new results, once those of others are read.

        Returns:
            How many there are new.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open('a+b') as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self._read(file)
            new = {key_of(record): record for record in reversed([*make()])}
            new = {k: r for k, r in reversed(new.items()) if k not in self}
            if new:
                file.truncate(self._size)  # A line that was cut off.
                lines = (json.dumps(r, allow_nan=False) for r in new.values())
                file.write(''.join(f'{line}\n' for line in lines).encode())
                file.flush()
                os.fsync(file.fileno())
                self._read(file)
        return len(new)

    def __contains__(self, key: Key) -> bool:
        return key in self.records

    def _read(self, file: IO[bytes]) -> None:
        if file.seek(0, os.SEEK_END) < self._size:  # It is another one.
            self.records, self._size, self._lines = {}, 0, 0
        file.seek(self._size)
        content = file.read()
        whole = content[: content.rfind(b'\n') + 1]
        new = json_lines.parse(whole, self.path, _check, self._lines + 1)
        for record in map(upgraded, new):
            found = self.records.setdefault(key_of(record), record)
            if found is not record and 'protocols' in record:
                found['protocols'].update(record['protocols'])
        self._size += len(whole)
        self._lines += len(new)


def finite(value: float) -> float | None:
    """A number as JSON has it.

    Args:
        value: A number, perhaps NaN.
    """
    value = float(value)
    return round(value, 6) if abs(value) < float('inf') else None


def _check(record: Record) -> None:
    hash(key_of(upgraded(record)))
