"""Reads a graph out of two tables in CSV."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch_geometric.data import Data

from gmoe.common.shown import counted, one_line, shown
from gmoe.datasets.limits import LIMITS

NODES, EDGES = 'nodes.csv', 'edges.csv'
_OTHERS = ('id', 'label', 'split')
_PARTS = {'train': 'train', 'val': 'val', 'valid': 'val', 'test': 'test'}
#: The class of a node whose class is not known.
UNKNOWN = -1


def read_tables(folder: Path) -> tuple[Data, tuple[str, ...], tuple[str, ...]]:
    """Reads a graph from a folder with two files:

    - ``nodes.csv`` with the columns ``id`` (any text), ``label`` (any text,
      empty where it is not known), ``split`` (``train``, ``val``, ``test`` or
      empty; the whole column may be missing), and a column for each feature;
    - ``edges.csv`` with the columns ``source``, ``target`` and, if edges
      have one, ``weight``.

    Args:
        folder: The folder.

    Returns:
        The graph; the names of its classes, in the order of their numbers or
        of the alphabet; and the ids of its nodes.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file does not hold what it must.
    """
    nodes = _read(folder / NODES, ['id', 'label'])
    twice = nodes['id'].duplicated()
    if twice.any():
        raise _wrong(folder / NODES, "'id' must be different", nodes, twice)
    number = pd.Series(np.arange(len(nodes)), index=nodes['id'])
    edges = _read(folder / EDGES, ['source', 'target'])
    ends = []
    for end in ('source', 'target'):
        node = edges[end].map(number)
        if node.isna().any():
            raise _wrong(
                folder / EDGES,
                f"'{end}' must be an id of {NODES}",
                edges[[end]],
                node.isna(),
            )
        ends.append(torch.from_numpy(node.to_numpy(np.int64, copy=True)))
    classes = _classes(nodes['label'])
    code = nodes['label'].map({name: i for i, name in enumerate(classes)})
    y = code.fillna(UNKNOWN).to_numpy(np.int64, copy=True)
    columns = [name for name in nodes.columns if name not in _OTHERS]
    if not columns:
        raise ValueError(
            f"'{folder / NODES}' must have a column for each feature, got "
            f'none besides {shown(list(nodes.columns))}'
        )
    data = Data(
        x=_numbers(nodes, columns, folder / NODES),
        edge_index=torch.stack(ends),
        y=torch.from_numpy(y),
    )
    if 'weight' in edges:
        weight = _numbers(edges, ['weight'], folder / EDGES)
        data.edge_weight = weight.view(-1)
    if 'split' in nodes:
        data.update(_masks(nodes, folder / NODES))
    return data, classes, tuple(nodes['id'])


def _read(path: Path, needed: list[str]) -> pd.DataFrame:
    if not path.is_file():
        raise FileNotFoundError(f"'{path}' must be a table, got none")
    if path.stat().st_size > LIMITS.table:
        raise ValueError(
            f"'{path}' must have at most {LIMITS.table} bytes, got more"
        )
    try:
        # Texts as they are: an id may be 007, and a class None.
        table = pd.read_csv(
            path,
            dtype=str,
            keep_default_na=False,
            skipinitialspace=True,
            encoding='utf-8-sig',
            index_col=False,
        )
    except (ValueError, pd.errors.ParserError) as error:
        raise ValueError(
            f"'{path}' must be a table in CSV, got: {one_line(error)}"
        ) from error
    missing = [name for name in needed if name not in table]
    if missing:
        raise ValueError(
            f"'{path}' must have the columns {needed}, got "
            f'{shown(list(table.columns))}'
        )
    return table


def _classes(labels: pd.Series) -> tuple[str, ...]:
    names = sorted(set(labels) - {''})
    if all(name.isdecimal() and len(name) < 10 for name in names):
        names.sort(key=int)
    return tuple(names)


def _numbers(table: pd.DataFrame, names: list[str], path: Path) -> Tensor:
    out = np.empty((len(table), len(names)), dtype=np.float32)
    for i, name in enumerate(names):
        value = pd.to_numeric(table[name], errors='coerce')
        with np.errstate(over='ignore'):
            out[:, i] = value.to_numpy(np.float64)
        is_wrong = ~np.isfinite(out[:, i])
        if is_wrong.any():
            raise _wrong(
                path, f"'{name}' must be a number", table[[name]], is_wrong
            )
    return torch.from_numpy(out)


def _masks(nodes: pd.DataFrame, path: Path) -> dict[str, Tensor]:
    part = nodes['split'].str.lower().map({**_PARTS, '': ''})
    if part.isna().any():
        rule = "'split' must be train, val, test or empty"
        raise _wrong(path, rule, nodes[['split']], part.isna())
    return {
        f'{name}_mask': torch.from_numpy(
            (part == name).to_numpy(bool, copy=True)
        )
        for name in ('train', 'val', 'test')
    }


def _wrong(
    path: Path,
    rule: str,
    table: pd.DataFrame,
    is_wrong: pd.Series | np.ndarray,
) -> ValueError:
    rows = np.flatnonzero(np.asarray(is_wrong))
    value = table.iloc[rows[0], 0]
    return ValueError(
        f"'{path}': {rule}, got {shown(value)} in line {rows[0] + 2}"
        f' ({counted(len(rows), "such row")})'
    )
