"""Reads the co-purchase and co-author graphs of Shchur et al. 2018
(`arXiv 1811.05868 <https://arxiv.org/abs/1811.05868>`_)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from gmoe.datasets.errors import CorruptDatasetError
from gmoe.datasets.nodes.arrays import read_arrays
from gmoe.datasets.nodes.sparse import check_csr, dense, row_of_each

#: Its file below ``raw/``, and that of its fixed split.
FILES = {
    'Photo': ('amazon_electronics_photo.npz', 'amazon-photo_split.npz'),
    'Computers': (
        'amazon_electronics_computers.npz',
        'amazon-computer_split.npz',
    ),
    'CS': ('ms_academic_cs.npz', 'coauthor-cs_split.npz'),
    'Physics': ('ms_academic_phy.npz', 'coauthor-physics_split.npz'),
}
_PARTS = ('data', 'indices', 'indptr', 'shape')
_SPLITS = {'train': 'train', 'valid': 'val', 'test': 'test'}


def read_citation(folder: Path, name: str) -> Data:
    """Reads a graph in the layout of PyG's ``Amazon`` and ``Coauthor``, with
    features that are 0 or 1, and the fixed split of `tunedGNN
    <https://arxiv.org/abs/2406.08993>`_ if it is in
    ``amazon/splits_tunedGNN`` beside it.

    Args:
        folder: The graph's folder.
        name: Its name, a key of :obj:`FILES`.

    Raises:
        FileNotFoundError: If its file is missing.
        CorruptDatasetError: If a file does not hold what it must.
    """
    file, split = FILES[name]
    path = folder / 'raw' / file
    names = [f'{kind}_{part}' for kind in ('attr', 'adj') for part in _PARTS]
    raw = read_arrays(path, [*names, 'labels'])
    attr = [raw[f'attr_{part}'] for part in _PARTS]
    x = dense(path, 'attr', *attr)
    filled = row_of_each(attr[2]), attr[1]
    x[filled] = np.where(x[filled] > 0, 1, x[filled])
    adj = [raw[f'adj_{part}'] for part in _PARTS]
    rows, columns = check_csr(path, 'adj', *adj)
    if not rows == columns == len(x) == len(raw['labels']):
        raise CorruptDatasetError(
            path,
            f'it must have a row and a label for each node, got {len(x)} rows '
            f"of 'attr', {rows} by {columns} of 'adj' and "
            f'{len(raw["labels"])} labels',
        )
    ends = np.stack([row_of_each(adj[2]), adj[1].astype(np.int64)])
    ends = ends[:, ends[0] != ends[1]]
    data = Data(
        x=torch.from_numpy(x),
        edge_index=torch.from_numpy(ends),
        y=torch.from_numpy(raw['labels'].astype(np.int64)),
    )
    fixed = folder.parents[1] / 'amazon' / 'splits_tunedGNN' / split
    if fixed.is_file():
        data.update(_masks(fixed, len(x)))
    return data


def _masks(path: Path, num_nodes: int) -> dict[str, Tensor]:
    masks = {}
    for key, index in read_arrays(path, list(_SPLITS)).items():
        is_node = index.dtype.kind in 'iu' and bool(
            ((index >= 0) & (index < num_nodes)).all()
        )
        if not is_node:
            raise CorruptDatasetError(
                path, f"'{key}' must hold ids from 0 to {num_nodes - 1}"
            )
        mask = torch.zeros(num_nodes, 1, dtype=torch.bool)
        mask[torch.from_numpy(index.astype(np.int64))] = True
        masks[f'{_SPLITS[key]}_mask'] = mask
    return masks
