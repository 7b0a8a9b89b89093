"""Columns of a table of molecules that a network reads beside the graphs,
such as the temperature of a measurement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gmoe.common.shown import shown
from gmoe.datasets.molecules.columns import nearest
from gmoe.datasets.molecules.values import MISSING, Column, read_number

#: The most columns, and the longest name of one.
MAX_COLUMNS = 10_000
MAX_LENGTH = 1_000


def check_columns(columns: Any) -> tuple[str, ...]:
    """Returns the names of columns that a network reads.

    Args:
        columns: The names, as a file may hold them that somebody else has
            written.

    Raises:
        ValueError: If they are no different names.
    """
    if (
        not isinstance(columns, (list, tuple))
        or not all(isinstance(name, str) and name for name in columns)
        or len(set(columns)) != len(columns)
        or len(columns) > MAX_COLUMNS
        or any(len(name) > MAX_LENGTH for name in columns)
    ):
        raise ValueError(
            "'feature_columns' must be a list of different names of columns, "
            f'got {shown(columns)}'
        )
    return tuple(columns)


def columns_in(features: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Returns the names of the columns that a trained network reads.

    Args:
        features: The settings of its features; see
            :meth:`~gmoe.datasets.molecules.MoleculeFeatures.to_dict`.

    Raises:
        ValueError: If they are no different names.
    """
    return check_columns((features or {}).get('columns', ()))


def read_columns(columns: Sequence[Column]) -> np.ndarray:
    r"""Reads columns of a table, to train with. A blank cell is unknown.

    Args:
        columns: The columns.

    Shapes:
        - **output:** float64 :math:`(N, C)`, NaN where unknown

    Raises:
        ValueError: If a cell is no number, with its line, or all are blank.
    """
    for column in columns:
        column.check_numbers()
        if not column.num_labels:
            raise ValueError(
                "'feature_columns' must be columns of numbers, got "
                f'{shown(column.name)}, of which all cells are blank'
            )
    return np.stack([column.numbers for column in columns], axis=1)


def read_cells(
    rows: Sequence[Sequence[str]],
    names: Sequence[str],
    is_comma_free: bool = False,
) -> tuple[np.ndarray, list[str]]:
    r"""Reads cells of a table, to predict with. A blank cell is unknown.

    Args:
        rows: For each row the cells of the columns.
        names: The names of the columns.
        is_comma_free: Whether commas are no separators of columns.

    Returns:
        The values, and for each row why it cannot be read, empty if it can.

    Shapes:
        - **output:** float64 :math:`(N, C)`, NaN where unknown
    """
    values = np.full((len(rows), len(names)), np.nan)
    reasons = [''] * len(rows)
    for i, cells in enumerate(rows):
        for j, (name, cell) in enumerate(zip(names, cells)):
            if cell.lower() in MISSING:
                continue
            number = read_number(cell, is_comma_free)
            if number is None or not np.isfinite(number):
                reasons[i] = f'{shown(name)} is no number: {shown(cell)}'
            else:
                values[i, j] = number
    return values, reasons


def given_columns(
    columns: Mapping[str, Sequence[Any]] | None,
    names: Sequence[str],
    size: int,
) -> np.ndarray | None:
    r"""Takes what a network reads from columns that are in memory.

    Args:
        columns: The columns by name, such as a data frame; :obj:`None` and
            NaN are unknown. Others than those of the network are not read.
        names: The names of the network's columns.
        size: The number of molecules.

    Returns:
        The values; :obj:`None` for a network without columns.

    Shapes:
        - **output:** float64 :math:`(N, C)`, NaN where unknown

    Raises:
        ValueError: If a column is missing, too long or short, or holds what
            is no number.
    """
    if not names:
        return None
    if columns is None:
        raise ValueError(
            f"'columns' must have {shown(list(names))}, which the network "
            'reads beside the molecules, got None'
        )
    out = np.full((size, len(names)), np.nan)
    for j, name in enumerate(names):
        if name not in columns:
            raise ValueError(
                f"'columns' must have {shown(name)}, which the network reads "
                f'beside the molecules, got {nearest(list(columns), name)}'
            )
        cells = list(columns[name])
        try:
            values = np.array(cells, dtype=np.float64)
        except (TypeError, ValueError):
            values = np.empty((0, 0))
        if values.shape != (size,) or np.isinf(values).any():
            raise ValueError(
                f"'columns' must have {size} finite numbers of {shown(name)}, "
                f'one for each molecule, got {shown(cells)}'
            )
        out[:, j] = values
    return out
