"""The error of a damaged file of a dataset."""

from pathlib import Path
from typing import Any


class CorruptDatasetError(ValueError):
    """A file of a dataset does not hold what it must hold.

    Args:
        path: The file.
        reason: A sentence about what it must hold and what was found.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"Corrupt file '{path}': {reason}. Replace it by the original one"
        )
        self.path = path
        self.reason = reason

    def __reduce__(self) -> tuple[Any, ...]:
        return CorruptDatasetError, (self.path, self.reason)
