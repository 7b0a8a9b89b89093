"""Reads the rows of a table in text, one by one."""

from __future__ import annotations

import contextlib
import csv
import os
from collections.abc import Iterator
from typing import BinaryIO

from gmoe.common.shown import counted, shown
from gmoe.datasets.molecules.text import Text, open_text

DELIMITERS = {',': 'commas', ';': 'semicolons', '\t': 'tabs', '|': 'bars'}


class Rows:
    """The rows of a table, read one after the other in bounded memory. Made
    by :func:`open_rows`.

    Args:
        text: The lines.

    Raises:
        ValueError: If there is no header.
    """

    def __init__(self, text: Text) -> None:
        self.name, self._text = text.name, text
        #: What was decided, a sentence each: complete after the last row.
        self.said = text.said
        self._pushed: list[str] = []
        self._line = 0
        #: The sign between two columns.
        self.delimiter = self._delimiter()
        self._reader = csv.reader(
            self._lines(), delimiter=self.delimiter, strict=True
        )
        #: The names of the columns.
        self.header = self._header()

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        """Yields the number of the line in which a row starts, the header
        being in line 1 mostly, and its cells without spaces around them, as
        many as the header has. A line without any text is a row, too, unless
        only such lines follow."""
        size, short = len(self.header), []
        blank: list[int] = []
        for line, cells in self._records():
            if not any(cells):
                blank.append(line)
                continue
            for number in blank:
                yield number, [''] * size
            blank = []
            if any(cells[size:]):
                raise ValueError(
                    f"'{self.name}', line {line} must have {size} cells, as "
                    f'the header, got {len(cells)}'
                )
            if len(cells) < size:
                short.append(line)
                cells += [''] * (size - len(cells))
            yield line, cells[:size]
        if short:
            self.said.append(
                f'shorter than the header: {counted(len(short), "row")}, '
                f'first line {short[0]}: the last cells are blank'
            )

    def _lines(self) -> Iterator[str]:
        while self._pushed:
            self._line += 1
            yield self._pushed.pop(0)
        for line in self._text:
            self._line += 1
            yield line

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        while True:
            line = self._line + 1
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                rule = 'quotes around whole cells, closed'
                if 'field limit' in str(error):
                    most = csv.field_size_limit()
                    rule = f'cells of at most {most} characters, or {rule}'
                raise ValueError(
                    f"'{self.name}', line {line} must have {rule}, got "
                    f'{shown(str(error))}'
                ) from error
            yield line, [cell.strip() for cell in cells]

    def _delimiter(self) -> str:
        given = None
        for line in self._text:
            if line.lower().startswith('sep='):
                given = line[4:].strip('\r\n')[:1]
            elif line.strip(' \t\r\n,;|'):
                break
        else:
            raise ValueError(
                f"'{self.name}' must have a first line with the names of the "
                'columns, got none'
            )
        self._line = self._text.line - 1
        self._pushed = [line, *([second] if (second := self._next()) else [])]
        if given:
            return given
        counts = [
            {sign: _count(text, sign) for sign in DELIMITERS}
            for text in (line, self._pushed[-1])
        ]
        # The one that the first two lines have as often.
        best = max(
            DELIMITERS,
            key=lambda sign: (
                counts[0][sign] == counts[1][sign] > 0,
                counts[0][sign],
            ),
        )
        if best != ',' and counts[0][best]:
            self.said.append(f'columns are separated by {DELIMITERS[best]}')
        return best

    def _next(self) -> str | None:
        return next(iter(self._text), None)

    def _header(self) -> tuple[str, ...]:
        _, cells = next(self._records())
        while len(cells) > 1 and not cells[-1]:
            cells.pop()  # Empty columns of a spreadsheet.
        return tuple(name or f'column {i + 1}' for i, name in enumerate(cells))


@contextlib.contextmanager
def open_rows(
    source: str | os.PathLike[str] | BinaryIO, limit: int | None = None
) -> Iterator[Rows]:
    """Opens a table in text: columns between commas, semicolons, tabs or
    bars, cells quoted or not, encoded and compressed as
    :func:`~gmoe.datasets.molecules.text.open_text` takes it.

    Args:
        source: The file, or an open one.
        limit: The most characters that are read. (default: there is no
            bound, for rows that are used one by one)

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If it cannot be read.
        ValueError: If it is no such table, or larger than the limit; of what
            is inside, as the rows are read.
    """
    with open_text(source, limit) as text:
        yield Rows(text)


def _count(line: str, sign: str) -> int:
    """How often a sign is outside of quotes."""
    return sum(part.count(sign) for part in line.split('"')[::2])
