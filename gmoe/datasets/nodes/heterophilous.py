"""Reads the heterophilous graphs of Platonov et al. 2023
(`arXiv 2302.11640 <https://arxiv.org/abs/2302.11640>`_)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch_geometric.data import Data

from gmoe.datasets.errors import CorruptDatasetError
from gmoe.datasets.nodes.arrays import read_arrays

_NAMES = ('node_features', 'node_labels', 'edges')
_MASKS = ('train_masks', 'val_masks', 'test_masks')


def read_heterophilous(folder: Path, name: str) -> Data:
    """Reads a graph in the layout of PyG's ``HeterophilousGraphDataset``,
    with its ten splits: also the same authors' filtered ``chameleon`` and
    ``squirrel``.

    Args:
        folder: The graph's folder.
        name: Its name, that of the file.

    Raises:
        FileNotFoundError: If its file is missing.
        CorruptDatasetError: If it does not hold what it must.
    """
    path = folder / 'raw' / f'{name}.npz'
    raw = read_arrays(path, [*_NAMES, *_MASKS])
    x, y, edges = (raw[key] for key in _NAMES)
    shapes = {key: value.shape for key, value in raw.items()}
    is_right = (
        x.ndim == 2
        and y.shape == x.shape[:1]
        and y.dtype.kind in 'iu'
        and edges.ndim == 2
        and edges.shape[1] == 2
        and edges.dtype.kind in 'iu'
        and all(
            raw[key].dtype.kind == 'b'
            and raw[key].ndim == 2
            and raw[key].shape == (raw[_MASKS[0]].shape[0], len(x))
            for key in _MASKS
        )
    )
    if not is_right:
        raise CorruptDatasetError(
            path,
            'it must hold a row of features, a label and a column of the '
            f'masks for each node, and two ends of each edge, got {shapes}',
        )
    masks = {
        key.removesuffix('s'): torch.from_numpy(raw[key]).t().contiguous()
        for key in _MASKS
    }
    return Data(
        x=torch.from_numpy(x.astype(np.float32)),
        edge_index=torch.from_numpy(edges.astype(np.int64)).t().contiguous(),
        y=torch.from_numpy(y.astype(np.int64)),
        **masks,
    )
