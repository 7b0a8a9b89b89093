"""A table of molecules and their targets."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from gmoe.common.shown import shown
from gmoe.datasets.molecules.columns import find_smiles, no_target, position
from gmoe.datasets.molecules.feature_columns import (
    check_columns,
    read_columns,
)
from gmoe.datasets.molecules.info import MoleculeInfo
from gmoe.datasets.molecules.rows import Rows, open_rows
from gmoe.datasets.molecules.targets import read_targets
from gmoe.datasets.molecules.values import Column

#: The most characters of a table that is held in memory: some two million
#: molecules.
MAX_SIZE = 256 * 2**20

#: Names of parts in a column, in any case of their letters.
PARTS = {
    'train': 'train',
    'training': 'train',
    'valid': 'valid',
    'val': 'valid',
    'validation': 'valid',
    'dev': 'valid',
    'test': 'test',
    'testing': 'test',
    '': '',
}


@dataclass(frozen=True)
class MoleculeTable:
    r"""Molecules with their targets, as in a file: nothing is left out yet.

    Args:
        smiles: The SMILES strings, as they were written.
        row: The line in the file of each, the header being line 1.
        y: The targets, float64 :math:`(N, T)`: values, or numbers of
            classes. What is missing is :obj:`NaN`, or -1 for a multiclass
            target.
        weights: The weight of each molecule in the loss, float64
            :math:`(N)`; :obj:`None` without.
        split: The part of each, ``'train'``, ``'valid'``, ``'test'`` or
            ``''`` for none; :obj:`None` without.
        info: The columns and the kind of the targets.
        said: What was decided, a sentence each.
        columns: What a network reads beside the graphs, float64
            :math:`(N, C)` with :obj:`NaN` where it is not known;
            :obj:`None` without.
    """

    smiles: list[str]
    row: list[int]
    y: np.ndarray
    weights: np.ndarray | None
    split: list[str] | None
    info: MoleculeInfo
    said: list[str] = field(default_factory=list)
    columns: np.ndarray | None = None


def read_table(
    path: str | os.PathLike[str],
    smiles: str | None = None,
    targets: str | Sequence[str] | None = None,
    weights: str | None = None,
    split_column: str | None = None,
    task: str | None = None,
    feature_columns: Sequence[str] = (),
) -> MoleculeTable:
    """Reads molecules and their targets from a CSV or TSV file, quoted or
    not, with or without a byte order mark, also compressed by gzip. What is
    not given is found, and said. Needs RDKit.

    Args:
        path: The file. It has a header.
        smiles: The column of SMILES strings. (default: found by its name,
            or by trying)
        targets: The target columns; blank cells are missing labels.
            (default: all columns of numbers or of two known words that are
            no row numbers, identifiers, parts or weights)
        weights: A column with the weight of each molecule in the loss.
        split_column: A column with the part of each molecule: train, valid,
            test, or blank for none.
        task: ``"binary"``, ``"multiclass"`` or ``"regression"``. (default:
            told from the values of all targets)
        feature_columns: Columns of numbers that a network reads beside the
            graphs; blank cells are unknown.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If it cannot be read.
        ValueError: If it is no such table, or a column is not there or does
            not hold what it must.
    """
    with open_rows(path, MAX_SIZE) as rows:
        records = list(rows)
    if not records:
        raise ValueError(f"'{path}' must have rows below its header, got none")
    line = [number for number, _ in records]
    columns = list(zip(*(cells for _, cells in records)))
    said, header = list(rows.said), rows.header

    if smiles is None:
        at = find_smiles(header, columns)
        said.append(f"SMILES strings: column '{header[at]}'")
    else:
        at = position(header, smiles, 'smiles')
    reader = _Reader(rows, columns, line)
    used = {at}
    w = None
    if weights is not None:
        used.add(position(header, weights, 'weights'))
        w = _weights(reader.column(position(header, weights, 'weights')))
    split = None
    if split_column is not None:
        i = position(header, split_column, 'split_column')
        used.add(i)
        split = _parts(columns[i], line, split_column, rows.name)
    extra = reader.features(feature_columns, used, said)
    found = reader.targets(targets, used, said)
    y = read_targets(found, task, rows.name)
    said += y.said
    info = MoleculeInfo(
        targets=tuple(column.name for column in found),
        task_type=y.task_type,
        classes=y.classes,
        smiles=header[at],
    )
    return MoleculeTable(
        list(columns[at]), line, y.y, w, split, info, said, extra
    )


class _Reader:
    """The columns of a file as numbers and words."""

    def __init__(
        self, rows: Rows, columns: list[tuple[str, ...]], line: list[int]
    ) -> None:
        self._rows, self._columns, self._line = rows, columns, line

    def column(self, i: int) -> Column:
        rows = self._rows
        return Column(
            rows.header[i],
            self._columns[i],
            self._line,
            rows.name,
            is_comma_free=rows.delimiter != ',',
        )

    def features(
        self, names: Sequence[str], used: set[int], said: list[str]
    ) -> np.ndarray | None:
        header = self._rows.header
        places = [
            position(header, name, 'feature_columns')
            for name in check_columns(names)
        ]
        if not places:
            return None
        self._check_unused('feature_columns', places, used)
        used.update(places)
        values = read_columns([self.column(i) for i in places])
        blank = int(np.isnan(values).sum())
        said.append(
            f'read beside the graphs: {shown([header[i] for i in places])}'
            + (f', {blank} cells of them blank' if blank else '')
        )
        return values

    def _check_unused(
        self, argument: str, places: list[int], used: set[int]
    ) -> None:
        for i in places:
            if i in used or places.count(i) > 1:
                raise ValueError(
                    f"'{argument}' must be columns of their own, got "
                    f'{shown(self._rows.header[i])}, which is used already'
                )

    def targets(
        self,
        names: str | Sequence[str] | None,
        used: set[int],
        said: list[str],
    ) -> list[Column]:
        header = self._rows.header
        if names is not None:
            names = [names] if isinstance(names, str) else list(names)
            if not names:
                raise ValueError("'targets' must be one name or more, got []")
            places = [position(header, name, 'targets') for name in names]
            self._check_unused('targets', places, used)
            return [self.column(i) for i in places]
        found, others = [], []
        for i in range(len(header)):
            if i not in used:
                column = self.column(i)
                reason = no_target(column)
                if reason is None:
                    found.append(column)
                else:
                    others.append(f"'{header[i]}' ({reason})")
        left_out = ', '.join(others[:10]) + (', …' if others[10:] else '')
        if not found:
            raise ValueError(
                f"'{self._rows.name}' must have a target, a column of numbers "
                'or of two words such as active and inactive, or one given '
                "as 'targets', got none" + (f': {left_out}' if others else '')
            )
        names = [column.name for column in found]
        twice = next((n for n in names if names.count(n) > 1), None)
        if twice is not None:
            raise ValueError(
                f"'{self._rows.name}' must have targets of different names, "
                f"or some of them given as 'targets', got {shown(twice)} twice"
            )
        taken = shown(names, 300)
        word = 'target' if len(found) == 1 else 'targets'
        said.append(f'{len(found)} {word}: {taken}')
        if others:
            said.append(f'not taken as targets: {left_out}')
        return found


def _weights(column: Column) -> np.ndarray:
    column.check_numbers()
    wrong = np.flatnonzero(~(column.numbers >= 0))
    if wrong.size:
        raise column.error(int(wrong[0]), 'be a weight, 0 or more')
    if not column.numbers.any():
        raise ValueError(
            f"'weights' must be a column of which some are not 0, got "
            f"'{column.name}'"
        )
    return column.numbers


def _parts(
    cells: Sequence[str], line: Sequence[int], name: str, file: str
) -> list[str]:
    for row, cell in enumerate(cells):
        if cell.lower() not in PARTS:
            raise ValueError(
                f"'{file}', line {line[row]}: '{name}' must be one of "
                f'{[part for part in PARTS if part]}, or blank for no part, '
                f'got {shown(cell)}'
            )
    out = [PARTS[cell.lower()] for cell in cells]
    if 'train' not in out:
        raise ValueError(
            f"'split_column' must be a column with 'train' in it, got '{name}'"
        )
    return out
