"""Files of one JSON object per line, whose last line may be cut off."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Record = dict[str, Any]

#: Raises an error for what is not one of a file's objects.
Check = Callable[[Record], object]


def _check_object(record: object) -> None:
    if not isinstance(record, dict):
        raise TypeError


def parse(
    content: bytes,
    path: Path,
    check: Check = _check_object,
    first: int = 1,
) -> list[Record]:
    """The objects of all whole lines: the rest of a line whose writing was
    cut off is left out.

    Args:
        content: What the file holds.
        path: The file, for errors to name it.
        check: Raises an error for what is not one of the file's objects.
        first: The number of the first line, for errors to name it.

    Raises:
        ValueError: If a line is not such an object.
    """
    records = []
    lines = content.split(b'\n')
    for number, line in enumerate(lines[:-1], start=first):
        try:
            record = json.loads(line)
            check(record)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ValueError(
                f"line {number} of '{path}' must be a JSON object with a "
                f'result, got {line[:60]!r}: correct or remove it'
            ) from error
        records.append(record)
    return records


def read(path: Path, check: Check = _check_object) -> list[Record]:
    """The objects of a file, none if it does not exist; see :func:`parse`.

    Args:
        path: The file.
        check: Raises an error for what is not one of the file's objects.

    Raises:
        ValueError: If a line is not such an object.
    """
    return parse(path.read_bytes(), path, check) if path.exists() else []


def append(path: Path, record: Record) -> None:
    """Adds an object, in place of the rest of a line that was cut off."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('a+b') as file:
        file.seek(0)
        content = file.read()
        file.truncate(content.rfind(b'\n') + 1)
        file.write((json.dumps(record, allow_nan=False) + '\n').encode())
