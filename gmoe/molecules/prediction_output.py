"""Predictions as rows of a table, written as they come."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from gmoe.common.files import remove_stale, replacing
from gmoe.common.shown import shown
from gmoe.molecules.predictions import Predictions


class PredictionOutput:
    """Writes a table with the columns of the input, followed by those of the
    predictions; see :meth:`Predictions.columns`. Columns of the input that an
    earlier prediction has made are replaced.

    Args:
        file: Where the table is written.
        header: The columns of the input.
    """

    def __init__(self, file: IO[str], header: Sequence[str]) -> None:
        self._writer = csv.writer(file, lineterminator='\n')
        self._header = list(header)
        self._kept: list[int] = []
        #: Columns of the input that were replaced, after the first rows.
        self.replaced: list[str] = []
        self._is_new = True

    def write(
        self, rows: Sequence[Sequence[str]], predictions: Predictions
    ) -> None:
        """Writes rows of the input with their predictions.

        Args:
            rows: The cells of the input.
            predictions: The predictions, one for each row.
        """
        columns = predictions.columns()
        if self._is_new:
            self._is_new = False
            for i, name in enumerate(self._header):
                if name in columns:
                    self.replaced.append(name)
                else:
                    self._kept.append(i)
            kept = [self._header[i] for i in self._kept]
            self._writer.writerow([*kept, *columns])
        for row, *cells in zip(rows, *columns.values()):
            kept = [row[i] for i in self._kept]
            self._writer.writerow([*kept, *map(_cell, cells)])


@contextlib.contextmanager
def open_output(path: str | Path | None) -> Iterator[IO[str]]:
    """Opens a file that is there once it is complete, or the standard output;
    a file whose name ends in ``.gz`` is compressed.

    Args:
        path: The file; the standard output without.

    Raises:
        OSError: If it cannot be written.
        ValueError: If its folder does not exist.
    """
    if path is None:
        if sys.stdout is None:
            raise ValueError(
                "'output' must be a file where the standard output is closed, "
                'got None'
            )
        yield sys.stdout
        sys.stdout.flush()
        return
    path = Path(path).expanduser()
    if path.is_dir() or not path.parent.is_dir():
        raise ValueError(
            "'output' must be a file in a folder that exists, got "
            f'{shown(str(path))}'
        )
    if path.exists() and not path.is_file():
        # A pipe or a device, whose place a file must not take.
        with path.open('w', encoding='utf-8', newline='') as text:
            yield text
        return
    remove_stale(path.parent)
    with replacing(path) as plain, contextlib.ExitStack() as stack:
        file: Any = plain
        if path.suffix == '.gz':
            packed = gzip.GzipFile('', 'wb', fileobj=plain, mtime=0)
            file = stack.enter_context(packed)
        text = io.TextIOWrapper(file, 'utf-8', newline='')
        try:
            yield text
            text.flush()
        finally:
            text.detach()


def _cell(value: Any) -> str:
    if value is None:
        return ''
    return f'{value:.6g}' if isinstance(value, float) else str(value)
