"""Reads a graph out of two tables in CSV."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch_geometric.data import Data

from gmoe.common.shown import shown
from gmoe.datasets.molecules.targets import MAX_CLASSES
from gmoe.datasets.nodes.text_columns import (
    ends_of,
    number_of_id,
    numbers_in,
    read_columns,
    wrong_row,
)

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
    nodes = read_columns(folder / NODES, ['id', 'label'])
    number = number_of_id(nodes, folder / NODES)
    edges = read_columns(folder / EDGES, ['source', 'target'])
    ends = ends_of(edges, number, folder / EDGES)
    classes = _classes(nodes['label'], folder / NODES)
    code = nodes['label'].map({name: i for i, name in enumerate(classes)})
    y = code.fillna(UNKNOWN).to_numpy(np.int64, copy=True)
    columns = [name for name in nodes.columns if name not in _OTHERS]
    if not columns:
        raise ValueError(
            f"'{folder / NODES}' must have a column for each feature, got "
            f'none besides {shown(list(nodes.columns))}'
        )
    data = Data(
        x=numbers_in(nodes, columns, folder / NODES),
        edge_index=ends,
        y=torch.from_numpy(y),
    )
    if 'weight' in edges:
        weight = numbers_in(edges, ['weight'], folder / EDGES)
        data.edge_weight = weight.view(-1)
    if 'split' in nodes:
        data.update(_masks(nodes, folder / NODES))
    return data, classes, tuple(nodes['id'])


def _classes(labels: pd.Series, path: Path) -> tuple[str, ...]:
    names = sorted(set(labels) - {''})
    if not 2 <= len(names) <= MAX_CLASSES:
        raise ValueError(
            f"'{path}' must have 2 to {MAX_CLASSES} classes as 'label', got "
            f'{len(names)}: {shown(names)}'
        )
    if all(name.isdecimal() and len(name) < 10 for name in names):
        names.sort(key=int)
    return tuple(names)


def _masks(nodes: pd.DataFrame, path: Path) -> dict[str, Tensor]:
    part = nodes['split'].str.lower().map({**_PARTS, '': ''})
    if part.isna().any():
        rule = "'split' must be train, val, test or empty"
        raise wrong_row(path, rule, nodes[['split']], part.isna())
    return {
        f'{name}_mask': torch.from_numpy(
            (part == name).to_numpy(bool, copy=True)
        )
        for name in ('train', 'val', 'test')
    }
