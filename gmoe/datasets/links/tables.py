"""Reads links out of tables in CSV."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch_geometric.data import Data

from gmoe.datasets.links.pairs import pair_keys
from gmoe.datasets.nodes.tables import EDGES, NODES
from gmoe.datasets.nodes.text_columns import (
    ends_of,
    number_of_id,
    numbers_in,
    read_columns,
    wrong_row,
)

_PARTS = {'train': 'train', 'val': 'valid', 'valid': 'valid', 'test': 'test'}
_ENDS = ['source', 'target']


def read_link_table(path: Path) -> tuple[Data, pd.DataFrame, tuple[str, ...]]:
    """Reads a list of edges, or a folder with ``nodes.csv`` and
    ``edges.csv``.

    A list has the columns ``source`` and ``target`` (any texts) and, where
    the split is known, ``split`` (``train``, ``val`` or ``test``). With it,
    there may be a column ``label``, 1 for an edge and 0 for a pair of nodes
    that is none, in validation and test. ``nodes.csv`` has the column ``id``
    and a column for each feature; its ``label`` and ``split``, those of
    nodes, are left out.

    Args:
        path: The list, or the folder.

    Returns:
        A graph without edges; a table with a row for each pair, its nodes
        ``source`` and ``target`` as numbers, ``split`` (empty where it is not
        given) and whether it is an edge, ``label``; and the ids of the nodes.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file does not hold what it must.
    """
    file = path / EDGES if path.is_dir() else path
    table = _pairs_in(file)
    x = None
    if path.is_dir():
        nodes = read_columns(path / NODES, ['id'])
        number = number_of_id(nodes, path / NODES)
        others = 'id', 'label', 'split'
        names = [name for name in nodes.columns if name not in others]
        if names:
            x = numbers_in(nodes, names, path / NODES)
    else:
        ids = pd.unique(table[_ENDS].to_numpy().ravel())
        number = pd.Series(np.arange(len(ids)), index=ids)
    ends = ends_of(table, number, file)
    pairs = pd.DataFrame({'source': ends[0], 'target': ends[1]})
    pairs['split'] = _splits(table, file)
    pairs['label'] = _labels(table, pairs['split'], file)
    data = Data(num_nodes=len(number))
    if x is not None:
        data.x = x
    return data, pairs, tuple(number.index)


def read_pairs(path: Path, ids: tuple[str, ...]) -> Tensor:
    """Reads the pairs that are to be scored, of shape ``[2, num_pairs]``.

    Args:
        path: A table with the columns ``source`` and ``target``.
        ids: The ids of the nodes.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it does not hold that.
    """
    number = pd.Series(np.arange(len(ids)), index=ids)
    return ends_of(_pairs_in(path), number, path)


def once(pairs: Tensor, num_nodes: int) -> tuple[Tensor, int]:
    """Keeps one of several equal pairs, whatever their direction, in their
    order, and counts the others.

    Args:
        pairs: The pairs, of shape ``[2, num_pairs]``.
        num_nodes: The number of nodes.
    """
    keys = pair_keys(pairs, num_nodes).numpy()
    first = np.sort(np.unique(keys, return_index=True)[1])
    kept = pairs[:, torch.from_numpy(first)]
    return kept, pairs.size(1) - kept.size(1)


def _pairs_in(path: Path) -> pd.DataFrame:
    table = read_columns(path, _ENDS)
    if table.empty:
        raise ValueError(f"'{path}' must have a row for each pair, got none")
    loop = table['source'] == table['target']
    if loop.any():
        rule = "'target' must be another node than 'source'"
        raise wrong_row(path, rule, table[['target']], loop)
    return table


def _splits(table: pd.DataFrame, path: Path) -> pd.Series | str:
    if 'split' not in table:
        return ''
    part = table['split'].str.lower().map(_PARTS)
    if part.isna().any():
        rule = "'split' must be train, val or test"
        raise wrong_row(path, rule, table[['split']], part.isna())
    return part


def _labels(
    table: pd.DataFrame, split: pd.Series, path: Path
) -> pd.Series | bool:
    if 'label' not in table:
        return True
    if 'split' not in table:
        raise ValueError(
            f"'{path}' must have the column 'split' beside 'label': which "
            'pairs are compared is known with it, got none'
        )
    label = table['label'].map({'1': True, '0': False})
    if label.isna().any():
        rule = "'label' must be 1 or 0"
        raise wrong_row(path, rule, table[['label']], label.isna())
    label = label.astype(bool)
    is_wrong = ~label & (split == 'train')
    if is_wrong.any():
        rule = (
            "'label' must be 1 in training, for which pairs that are no edges "
            'are drawn'
        )
        raise wrong_row(path, rule, table[['label']], is_wrong)
    return label
