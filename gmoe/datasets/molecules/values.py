"""The values of target columns: numbers, classes, and what is missing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

from gmoe.common.shown import shown

#: Cells without a label, in any case of their letters.
MISSING = frozenset(
    ['', 'nan', 'na', 'n/a', '#n/a', '<na>', 'null', 'none', 'n.d.', 'nd', '?']
)
#: Words for the two classes of a column, in any case of their letters: the
#: second one is class 1.
PAIRS = (
    ('no', 'yes'),
    ('n', 'y'),
    ('false', 'true'),
    ('f', 't'),
    ('inactive', 'active'),
    ('negative', 'positive'),
    ('neg', 'pos'),
    ('non-toxic', 'toxic'),
    ('nontoxic', 'toxic'),
    ('-', '+'),
)
_WORDS = frozenset(word for pair in PAIRS for word in pair)

#: The largest number of a target or weight: sums of squares are finite in
#: float32.
LARGEST = 1e15

_COMMA = re.compile(r'[+-]?\d*,\d+(?:[eE][+-]?\d+)?')
_THOUSANDS = re.compile(r'[+-]?\d{1,3}(?:,\d{3})+')


class Column:
    """The cells of a column, read as numbers and as words.

    Args:
        name: The column's name.
        cells: Its cells.
        lines: The line in the file of each.
        file: The file, for messages.
        is_comma_free: Whether commas are no separators of columns, so that a
            comma is one of decimals.
    """

    def __init__(
        self,
        name: str,
        cells: Sequence[str],
        lines: Sequence[int],
        file: str,
        is_comma_free: bool = False,
    ) -> None:
        self.name, self.cells = name, cells
        self._lines, self._file = lines, file
        self._is_comma_free = is_comma_free
        self.is_missing = np.array([c.lower() in MISSING for c in cells])
        #: The rows of cells that are neither numbers nor missing.
        self.words: list[int] = []
        self.has_decimal_comma = False
        self.numbers = self._numbers()

    @property
    def num_labels(self) -> int:
        """How many cells have a label."""
        return int((~self.is_missing).sum())

    @property
    def is_numeric(self) -> bool:
        """Whether at least half of the labels are numbers."""
        return self.num_labels > 0 and 2 * len(self.words) <= self.num_labels

    def values(self) -> list[str]:
        """The different labels, as their classes are named and in the order
        of these: numbers by their size, words of :obj:`PAIRS` as they are
        there, other words by the alphabet."""
        found: dict[str, str] = {}
        for cell, missing in zip(self.cells, self.is_missing):
            if not missing and key(cell) not in found:
                found[key(cell)] = cell
        return sorted_labels(found.values())

    def check_numbers(self) -> None:
        """Refuses words, what is not finite, and what is too large.

        Raises:
            ValueError: With the line of the first one.
        """
        large = np.flatnonzero(np.abs(self.numbers) > LARGEST).tolist()
        wrong = min(self.words + large, default=None)
        if wrong is not None:
            is_large = np.isfinite(self.numbers[wrong])
            kind = f'number up to {LARGEST:g}' if is_large else 'finite number'
            raise self.error(
                wrong, f'be a {kind}, or blank where it is not known'
            )

    def error(self, row: int, rule: str) -> ValueError:
        """The error of a cell.

        Args:
            row: Its row.
            rule: What it must be.
        """
        return ValueError(
            f"'{self._file}', line {self._lines[row]}: '{self.name}' must "
            f'{rule}, got {shown(self.cells[row])}'
        )

    def _numbers(self) -> np.ndarray:
        out = np.full(len(self.cells), np.nan)
        commas = []
        for row, cell in enumerate(self.cells):
            if self.is_missing[row]:
                continue
            number = _number(cell)
            if number is not None:
                out[row] = number
            elif _COMMA.fullmatch(cell) or _THOUSANDS.fullmatch(cell):
                commas.append(row)
            else:
                self.words.append(row)
        if commas:
            self._read_commas(commas, out)
        return out

    def _read_commas(self, rows: list[int], out: np.ndarray) -> None:
        cells = [self.cells[row] for row in rows]
        has_points = any('.' in cell for cell in self.cells)
        is_clear = self._is_comma_free or not all(
            _THOUSANDS.fullmatch(cell) for cell in cells
        )
        if has_points or not is_clear or not all(map(_COMMA.fullmatch, cells)):
            raise ValueError(
                f"'{self._file}', line {self._lines[rows[0]]}: '{self.name}' "
                'must have one decimal sign and none for thousands, got '
                f'{shown(cells[0])}'
                + (', and points elsewhere' if has_points else '')
            )
        self.has_decimal_comma = True
        out[rows] = [float(cell.replace(',', '.')) for cell in cells]


def key(cell: str) -> str:
    """What is the same for all spellings of a class: ``1`` and ``1.0``,
    ``Yes`` and ``yes``.

    Args:
        cell: A label.
    """
    number = _number(cell)
    if number is not None:
        return repr(int(number)) if number.is_integer() else repr(number)
    return cell.lower() if cell.lower() in _WORDS else cell


def read_number(cell: str, is_comma_free: bool = False) -> float | None:
    """Reads a cell by itself; :obj:`None` if it is no number, or its comma
    may be one of decimals or of thousands.

    Args:
        cell: The cell.
        is_comma_free: Whether commas are no separators of columns.
    """
    is_clear = is_comma_free or not _THOUSANDS.fullmatch(cell)
    if is_clear and _COMMA.fullmatch(cell):
        return float(cell.replace(',', '.'))
    return _number(cell)


def _number(cell: str) -> float | None:
    try:
        # Python reads `1_000`, which nobody writes into a table.
        return None if '_' in cell else float(cell)
    except ValueError:
        return None


def sorted_labels(labels: Iterable[str]) -> list[str]:
    """Labels in the order of their classes.

    Args:
        labels: Different labels.
    """
    found = {key(label): label for label in labels}
    for pair in PAIRS:
        if found.keys() == set(pair):
            return [found[word] for word in pair]
    return sorted(found.values(), key=_order)


def _order(label: str) -> tuple[int, float, str]:
    number = _number(label)
    return (1, 0.0, label) if number is None else (0, number, '')
