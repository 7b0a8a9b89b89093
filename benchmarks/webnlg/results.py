"""The file of results: one JSON object per run and protocol."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Record = dict[str, Any]


def read(path: Path) -> list[Record]:
    """The results in a file, none if it does not exist.

    Args:
        path: The file.

    Raises:
        ValueError: If a line is not a JSON object.
    """
    if not path.exists():
        return []
    out = []
    lines = path.read_text().splitlines(keepends=True)
    for number, line in enumerate(lines, start=1):
        if number == len(lines) and not line.endswith('\n'):
            break  # An append that was cut off; the run is done again.
        try:
            out.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise ValueError(
                f'line {number} of {path} must be a JSON object, got '
                f'{line[:80]!r}'
            ) from error
    return out


def find(
    results: Sequence[Record], model: str, seed: int, settings: Record
) -> list[Record]:
    """The results of a run that was made with these settings.

    Args:
        results: All results.
        model: The model.
        seed: The seed.
        settings: What decides on its result, besides the seed.
    """
    key = (model, seed, settings)
    return [
        record
        for record in results
        if (record['model'], record['seed'], record['settings']) == key
    ]


def append(path: Path, new: Sequence[Record]) -> None:
    """Replaces the results of a run, or adds them: all or none.

    Args:
        path: The file.
        new: The results of one model and seed.
    """
    replaced = {(r['model'], r['seed'], r['protocol']) for r in new}
    kept = [
        r
        for r in read(path)
        if (r['model'], r['seed'], r['protocol']) not in replaced
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'.{path.name}.{os.getpid()}')
    with partial.open('w') as file:
        for record in [*kept, *new]:
            file.write(json.dumps(record, allow_nan=False) + '\n')
    os.replace(partial, path)
