"""Reads OGB's graphs of nodes in their official layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.utils import scatter

from gmoe.datasets.errors import CorruptDatasetError
from gmoe.datasets.limits import Limits
from gmoe.datasets.ogb.raw import read_split
from gmoe.datasets.table import parse_csv, read_bytes

#: The features of edges of ogbn-proteins are two gigabytes of text.
LIMITS = Limits(table=2**32, unzipped=2**32)
#: The file of features and its columns, the columns of labels, the split.
_FORMS = {
    'ogbn-arxiv': ('node-feat', 128, 1, 'time'),
    'ogbn-proteins': ('edge-feat', 8, 112, 'species'),
}


def read_ogb_nodes(folder: Path, name: str) -> Data:
    """Reads ``ogbn-arxiv`` or ``ogbn-proteins``, with the official split. The
    nodes of ``ogbn-proteins`` have no features: theirs are the means of those
    of their edges, as in OGB's example.

    Args:
        folder: The graph's folder.
        name: Its name.

    Raises:
        FileNotFoundError: If a file is missing.
        CorruptDatasetError: If a file does not hold what it must.
    """
    features, columns, labels, split = _FORMS[name]
    raw = folder / 'raw'
    num_nodes, num_edges = (
        read_ogb_number(raw / f'num-{kind}-list.csv.gz')
        for kind in ('node', 'edge')
    )
    edge = read_ogb_table(raw / 'edge.csv.gz', 2, num_edges)
    if edge.size and not 0 <= edge.min() <= edge.max() < num_nodes:
        raise CorruptDatasetError(
            raw / 'edge.csv.gz',
            f'node ids must be from 0 to {num_nodes - 1}, got {edge.min()} '
            f'to {edge.max()}',
        )
    edge_index = torch.from_numpy(edge).t().contiguous()
    rows = num_nodes if features == 'node-feat' else num_edges
    path = raw / f'{features}.csv.gz'
    value = torch.from_numpy(read_ogb_table(path, columns, rows, True)).float()
    if features == 'edge-feat':
        value = _mean_of_edges(value, edge_index, num_nodes)
    path = raw / 'node-label.csv.gz'
    y = torch.from_numpy(read_ogb_table(path, labels, num_nodes, True))
    data = Data(x=value, edge_index=edge_index, y=_labels(y, path))
    index = read_split(folder / 'split' / split, num_nodes, LIMITS)
    for part, key in (('train', 'train'), ('valid', 'val'), ('test', 'test')):
        mask = torch.zeros(num_nodes, dtype=torch.bool)
        mask[index[part]] = True
        data[f'{key}_mask'] = mask
    return data


def _labels(y: Tensor, path: Path) -> Tensor:
    if y.size(1) > 1:
        return y.float()
    is_class = y.isnan() | ((y >= 0) & (y == y.floor()))
    if not is_class.all():
        raise CorruptDatasetError(path, 'classes must be integers from 0')
    return y.nan_to_num(-1).long().view(-1)


def _mean_of_edges(value: Tensor, ends: Tensor, num_nodes: int) -> Tensor:
    # Each edge counts for both of its ends.
    both = torch.cat([ends[0], ends[1]])
    return scatter(value.repeat(2, 1), both, 0, num_nodes, reduce='mean')


def read_ogb_number(path: Path) -> int:
    """Reads a file that holds one number from 0, such as that of the nodes.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: If there is no such file.
        CorruptDatasetError: If it does not hold one.
    """
    value = read_ogb_table(path, 1, 1)
    if not 0 <= value[0, 0] < 2**31:
        raise CorruptDatasetError(
            path, f'it must hold a number from 0, got {value[0, 0]}'
        )
    return int(value[0, 0])


def read_ogb_table(
    path: Path, columns: int, rows: int, is_float: bool = False
) -> np.ndarray:
    """Reads a compressed table of numbers.

    Args:
        path: The file.
        columns: How many columns it must hold.
        rows: How many rows it must hold.
        is_float: Whether they are floating-point numbers.

    Raises:
        FileNotFoundError: If there is no such file.
        CorruptDatasetError: If it does not hold that.
    """
    if not path.is_file():
        raise FileNotFoundError(f"'{path}' must be a file, got none")
    content = read_bytes(path, LIMITS)
    out = parse_csv(content, path, columns, rows if is_float else None, LIMITS)
    if len(out) != rows:
        raise CorruptDatasetError(
            path, f'it must hold {rows} rows, got {len(out)}'
        )
    return out
