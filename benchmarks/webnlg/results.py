"""The file of results: one JSON object per run and protocol."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks.common import json_lines
from benchmarks.common.json_lines import Record
from benchmarks.common.record import replace_text
from gmoe.text.old_names import OLD_NAMES


def read(path: Path) -> list[Record]:
    """The results in a file, none if it does not exist. An append that was
    cut off is left out: the run is done again.

    Args:
        path: The file.

    Raises:
        ValueError: If a line is not a JSON object.
    """
    return json_lines.read(path)


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
        if (record['model'], record['seed'], _settings(record)) == key
    ]


def _settings(record: Record) -> Record:
    # Those of earlier versions by their names of now.
    settings = record['settings']
    return {OLD_NAMES.get(name, name): settings[name] for name in settings}


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
    lines = [json.dumps(r, allow_nan=False) + '\n' for r in [*kept, *new]]
    replace_text(path, ''.join(lines))
