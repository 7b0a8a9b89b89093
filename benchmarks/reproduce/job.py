"""A run, where and how to do it, and the files of its folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.reproduce.run import Run
from gmoe.common.files import replace_text

RESULT = 'result.json'
SETTINGS = 'settings.json'
PREDICTIONS = 'predictions.npz'
LOG = 'log.txt'


@dataclass(frozen=True)
class Job:
    """A run, and where and how to do it.

    Args:
        run: The run.
        root: The folder of the datasets.
        runs: The folder of all runs.
        command: The command that asked for it.
        threads: The number of threads.
        accelerator: The kind of device, as Lightning names it.
        save_seconds: The least number of seconds between two checkpoints.
    """

    run: Run
    root: Path
    runs: Path
    command: str
    threads: int = 1
    accelerator: str = 'auto'
    save_seconds: float = 0.0

    @property
    def folder(self) -> Path:
        """The folder of the run."""
        return self.run.folder(self.runs)

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoint, which goes when the run is done."""
        return self.folder / 'checkpoints'


def write_object(path: Path, value: dict[str, Any]) -> None:
    """Writes a file of a run's folder, whole or not at all.

    Args:
        path: The file.
        value: What it holds, as plain values.
    """
    replace_text(path, json.dumps(value, allow_nan=False))


def read_object(path: Path) -> dict[str, Any] | None:
    """What a file of a run's folder holds, :obj:`None` if it is not there,
    empty, or cannot be read, as when the machine went down while it was
    written.

    Args:
        path: The file.
    """
    try:
        value = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and value else None
