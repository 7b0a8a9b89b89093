"""Columns of texts and numbers of a table in CSV from outside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from gmoe.common.shown import counted, one_line, shown
from gmoe.datasets.limits import LIMITS


def read_columns(path: Path, needed: list[str]) -> pd.DataFrame:
    """Reads a table as texts. A column without a name, as pandas writes the
    numbers of rows, is left out.

    Args:
        path: The file.
        needed: The columns that it must have.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no table, too large, lacks a column, or has one
            twice.
    """
    if not path.is_file():
        raise FileNotFoundError(f"'{path}' must be a table, got none")
    if path.stat().st_size > LIMITS.table:
        raise ValueError(
            f"'{path}' must have at most {LIMITS.table} bytes, got more"
        )
    try:
        # Texts as they are: an id may be 007, and a class None; and without a
        # header, as equal names in it would get numbers.
        rows = pd.read_csv(
            path,
            header=None,
            dtype=str,
            keep_default_na=False,
            skipinitialspace=True,
            encoding='utf-8-sig',
            index_col=False,
        )
    except ValueError as error:
        raise ValueError(
            f"'{path}' must be a table in CSV, got: {one_line(error)}"
        ) from error
    header = rows.iloc[0]
    table = rows.iloc[1:].reset_index(drop=True).set_axis(header, axis=1)
    table = table.loc[:, header.to_numpy() != '']
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise ValueError(
            f"'{path}' must have each column once, got {shown(twice[0])} twice"
        )
    missing = [name for name in needed if name not in table]
    if missing:
        raise ValueError(
            f"'{path}' must have the columns {needed}, got "
            f'{shown(list(table.columns))}'
        )
    return table


def numbers_in(table: pd.DataFrame, names: list[str], path: Path) -> Tensor:
    """The numbers of some columns, float32 of shape
    ``[num_rows, num_columns]``.

    Args:
        table: The table.
        names: The columns.
        path: Its file.

    Raises:
        ValueError: If a cell is no finite number.
    """
    out = np.empty((len(table), len(names)), dtype=np.float32)
    for i, name in enumerate(names):
        value = pd.to_numeric(table[name], errors='coerce')
        with np.errstate(over='ignore'):
            out[:, i] = value.to_numpy(np.float64)
        is_wrong = ~np.isfinite(out[:, i])
        if is_wrong.any():
            raise wrong_row(
                path, f"'{name}' must be a number", table[[name]], is_wrong
            )
    return torch.from_numpy(out)


def number_of_id(nodes: pd.DataFrame, path: Path) -> pd.Series:
    """The number of each node, by its id.

    Args:
        nodes: A table with the column ``id``.
        path: Its file.

    Raises:
        ValueError: If an id is empty, or there twice.
    """
    is_empty = nodes['id'] == ''
    if is_empty.any():
        rule = "'id' must not be empty"
        raise wrong_row(path, rule, nodes[['id']], is_empty)
    twice = nodes['id'].duplicated()
    if twice.any():
        raise wrong_row(path, "'id' must be different", nodes[['id']], twice)
    return pd.Series(np.arange(len(nodes)), index=nodes['id'])


def ends_of(edges: pd.DataFrame, number: pd.Series, path: Path) -> Tensor:
    """The nodes at both ends of edges, int64 of shape ``[2, num_edges]``.

    Args:
        edges: A table with the columns ``source`` and ``target``.
        number: The number of each node, by its id.
        path: The table's file.

    Raises:
        ValueError: If an edge names another id.
    """
    ends = []
    for end in ('source', 'target'):
        node = edges[end].where(edges[end] != '').map(number)
        if node.isna().any():
            rule = f"'{end}' must be an id of a node"
            raise wrong_row(path, rule, edges[[end]], node.isna())
        ends.append(torch.from_numpy(node.to_numpy(np.int64, copy=True)))
    return torch.stack(ends)


def wrong_row(
    path: Path,
    rule: str,
    table: pd.DataFrame,
    is_wrong: pd.Series | np.ndarray,
) -> ValueError:
    """The error of a row, which says what it has in the first column.

    Args:
        path: The file of the table.
        rule: What must be.
        table: The rows.
        is_wrong: Which of them are wrong.
    """
    rows = np.flatnonzero(np.asarray(is_wrong))
    value = table.iloc[rows[0], 0]
    return ValueError(
        f"'{path}': {rule}, got {shown(value)} in line {rows[0] + 2}"
        f' ({counted(len(rows), "such row")})'
    )
