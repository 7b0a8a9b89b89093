"""The progress of a run, for the process that watches it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.reproduce.job import read_object, write_object

_NAME = 'progress.json'


@dataclass(frozen=True)
class Progress:
    """The progress of a run.

    Args:
        epochs: The number of epochs done.
        seconds: The seconds that they took.
        process: The process that does it.
    """

    epochs: int = 0
    seconds: float = 0.0
    process: int | None = None

    def write(self, folder: Path) -> None:
        """Writes it into the folder of a run."""
        write_object(folder / _NAME, asdict(self))

    @classmethod
    def read(cls, folder: Path) -> Progress:
        """Reads it, nothing done where there is none, or none that can be
        read, as when the machine went down while it was written.

        Args:
            folder: The folder of a run.
        """
        match read_object(folder / _NAME):
            case {
                'epochs': int(epochs),
                'seconds': float() | int() as seconds,
                'process': int() | None as process,
            }:
                return cls(epochs, seconds, process)
        return cls()
