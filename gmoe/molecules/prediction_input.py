"""Molecules that are to be predicted: a table, or SMILES strings."""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from gmoe.common.files import nearest_name
from gmoe.common.shown import shown
from gmoe.datasets.molecules.columns import (
    NoNamesError,
    find_smiles,
    nearest,
    position,
)
from gmoe.datasets.molecules.feature_columns import read_cells
from gmoe.datasets.molecules.molecule import Refused, prepare
from gmoe.datasets.molecules.rows import open_rows
from gmoe.molecules.featurized import MoleculeRows

#: The name that stands for the standard input.
STDIN = '-'

_ACCEPTED = (
    "a file with a column of SMILES strings, '-' for the standard input, or "
    'SMILES strings that RDKit can read'
)

Cells = list[list[str]]


class PredictionInput(NamedTuple):
    """A table, as far as it has been read.

    Args:
        header: The names of its columns.
        column: Which of them has the SMILES strings.
        chunks: Its rows, some at a time.
        said: What was decided, complete after the last chunk.
        columns: Which of them the network reads beside the molecules.
        is_comma_free: Whether commas are no separators of columns.
    """

    header: list[str]
    column: int
    chunks: Iterator[Cells]
    said: list[str]
    columns: Sequence[int] = ()
    is_comma_free: bool = False

    def molecules(self, rows: Cells) -> MoleculeRows:
        """The molecules of a chunk, with what the network reads beside them.

        Args:
            rows: The chunk.
        """
        smiles = [row[self.column] for row in rows]
        if not self.columns:
            return MoleculeRows(smiles)
        values, reasons = read_cells(
            [[row[i] for i in self.columns] for row in rows],
            [self.header[i] for i in self.columns],
            self.is_comma_free,
        )
        return MoleculeRows(smiles, values, reasons)


@contextlib.contextmanager
def open_input(
    sources: Sequence[str],
    size: int,
    smiles: str | None = None,
    known: str = 'smiles',
    columns: Sequence[str] = (),
    is_each: bool = False,
) -> Iterator[PredictionInput]:
    """Opens molecules that are to be predicted.

    Args:
        sources: The path of a table, ``'-'`` for one on the standard input,
            or SMILES strings.
        size: How many rows a chunk has.
        smiles: The name of the column of SMILES strings. (default: that of
            the training, or else one that is found)
        known: Its name in the training.
        columns: The names of columns that the network reads beside the
            molecules.
        is_each: Whether each of several SMILES strings has to be one that can
            be read, not one of them only.

    Raises:
        OSError: If the table cannot be read.
        ValueError: If it is no table, has no such column, or sources are
            neither a file nor SMILES strings.
    """
    is_table = len(sources) == 1 and (
        sources[0] == STDIN or _exists(sources[0])
    )
    if not is_table:
        header = [smiles or known]
        rows = iter([[text] for text in sources])
        _check_smiles(sources, is_each)
        if columns:
            raise ValueError(
                f"'input' must be a table with {shown(list(columns))}, which "
                'the network reads beside the molecules, got '
                + shown(sources[0])
            )
        yield PredictionInput(header, 0, _chunks(rows, size), [])
        return
    if sources[0] == STDIN and sys.stdin is None:
        raise ValueError(
            f"'input' must be {_ACCEPTED}, got '-': the standard input is "
            'closed'
        )
    source = sys.stdin.buffer if sources[0] == STDIN else sources[0]
    with open_rows(source) as table:
        header = list(table.header)
        chunks = _chunks((cells for _, cells in table), size)
        first = next(chunks, [])
        column = _column(header, first, smiles, known)
        said = table.said
        if smiles is None and header[column] != known:
            said.append(
                f'SMILES strings are in the column {shown(header[column])}'
            )
        chunks = itertools.chain([first] if first else [], chunks)
        yield PredictionInput(
            header,
            column,
            chunks,
            said,
            [_beside(header, name) for name in columns],
            table.delimiter != ',',
        )


def _column(
    header: list[str], first: Cells, smiles: str | None, known: str
) -> int:
    if smiles is not None:
        return position(header, smiles, 'smiles')
    lower = [name.lower() for name in header]
    for name, names in ((known, header), (known.lower(), lower)):
        if names.count(name) == 1:
            return names.index(name)
    try:
        return find_smiles(header, [*zip(*first)] or [()] * len(header))
    except NoNamesError:
        raise
    except ValueError:
        # The names that are nearest to that of the training.
        return position(header, known, 'smiles')


def _beside(header: list[str], name: str) -> int:
    found = header.count(name)
    if found != 1:
        others = f'others, {nearest(header, name)}'
        got = f'{found} of them' if found else others
        raise ValueError(
            f"'input' must have one column {shown(name)}, which the network "
            f'reads beside the molecules, got {got}'
        )
    return header.index(name)


def _check_smiles(sources: Sequence[str], is_each: bool) -> None:
    wrong = []
    for text in sources:
        if text == STDIN or _exists(text):
            raise ValueError(
                f"'input' must be {_ACCEPTED}, got {shown(text)} beside others"
            )
        found = prepare(text)
        if isinstance(found, Refused):
            wrong.append((text, found.reason))
    if wrong and (is_each or len(wrong) == len(sources)):
        text, reason = wrong[0]
        near = nearest_name(Path(text).expanduser())
        raise ValueError(
            f"'input' must be {_ACCEPTED}, got {shown(text)}: there is no "
            f'such file{near}, and as SMILES it is {reason}'
        )


def _exists(text: str) -> bool:
    # No error for what cannot be the name of a file.
    return os.path.exists(os.path.expanduser(text))


def _chunks(rows: Iterable[list[str]], size: int) -> Iterator[Cells]:
    rows = iter(rows)
    while chunk := list(itertools.islice(rows, size)):
        yield chunk
