"""Reads the citation graphs of Yang et al. 2016
(`arXiv 1603.08861 <https://arxiv.org/abs/1603.08861>`_)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from gmoe.datasets.errors import CorruptDatasetError
from gmoe.datasets.nodes.arrays import read_arrays
from gmoe.datasets.nodes.pickled import (
    read_pickled_matrix,
    read_pickled_neighbours,
)
from gmoe.datasets.table import read_bytes

#: The number of validation nodes of the public split.
NUM_VALID = 500
#: The number of splits of Geom-GCN.
NUM_SPLITS = 10
_MASKS = ('train_mask', 'val_mask', 'test_mask')


def read_planetoid(folder: Path, name: str, public: bool) -> Data:
    """Reads a graph in the layout of PyG's ``Planetoid``.

    Args:
        folder: The graph's folder.
        name: Its name.
        public: Whether masks are those of the public split, which has 20
            training nodes of each class; else they are the ten of `Geom-GCN
            <https://arxiv.org/abs/2002.05287>`_, with 60 % of all nodes.

    Raises:
        FileNotFoundError: If a file is missing.
        CorruptDatasetError: If a file does not hold what it must.
    """
    prefix = folder / 'raw' / f'ind.{name.lower()}'
    all_x, test_x, all_y, test_y, train_y = (
        read_pickled_matrix(Path(f'{prefix}.{part}'))
        for part in ('allx', 'tx', 'ally', 'ty', 'y')
    )
    path = Path(f'{prefix}.test.index')
    test = _test_index(path, len(all_x), len(test_x))
    sizes = {
        'tx': test_x.shape == (len(test), all_x.shape[1]),
        'ty': test_y.shape == (len(test), all_y.shape[1]),
        'ally': len(all_y) == len(all_x),
        'y': train_y.shape[1] == all_y.shape[1]
        and len(train_y) + NUM_VALID <= len(all_y),
    }
    for part, is_right in sizes.items():
        if not is_right:
            raise CorruptDatasetError(
                Path(f'{prefix}.{part}'),
                "it must have a row for each node, as 'allx' and "
                "'test.index' say, and a column for each class, got others",
            )
    num_nodes = int(test.max()) + 1
    # Nodes without edges are missing in the files of CiteSeer.
    x = np.zeros((num_nodes, all_x.shape[1]), dtype=np.float32)
    y = np.zeros((num_nodes, all_y.shape[1]), dtype=np.float32)
    x[: len(all_x)], y[: len(all_y)] = all_x, all_y
    x[test], y[test] = test_x, test_y
    graph = Path(f'{prefix}.graph')
    ends = read_pickled_neighbours(graph, num_nodes)
    data = Data(
        x=torch.from_numpy(x),
        edge_index=torch.from_numpy(ends[:, ends[0] != ends[1]]),
        y=torch.from_numpy(y.argmax(axis=1)),
    )
    if not public:
        data.update(_geom_gcn(folder, name, num_nodes))
        return data
    for key in _MASKS:
        data[key] = torch.zeros(num_nodes, dtype=torch.bool)
    data.train_mask[: len(train_y)] = True
    data.val_mask[len(train_y) : len(train_y) + NUM_VALID] = True
    data.test_mask[torch.from_numpy(test)] = True
    return data


def _test_index(path: Path, start: int, size: int) -> np.ndarray:
    if not path.is_file():
        raise FileNotFoundError(f"'{path}' must be a file, got none")
    words = read_bytes(path).split()
    if not all(word.isdigit() and len(word) < 10 for word in words):
        raise CorruptDatasetError(path, 'it must hold ids of nodes')
    index = np.array([int(word) for word in words], dtype=np.int64)
    # As many more as CiteSeer leaves out, at the most.
    end = start + 2 * size
    is_right = (
        index.size == size > 0
        and np.unique(index).size == size
        and index.min() >= start
        and index.max() < end
    )
    if not is_right:
        raise CorruptDatasetError(
            path,
            f'it must hold {size} different ids of nodes from {start} to '
            f'{end - 1}, got {index.size}',
        )
    return index


def _geom_gcn(folder: Path, name: str, num_nodes: int) -> dict[str, Tensor]:
    splits = []
    for number in range(NUM_SPLITS):
        file = f'{name.lower()}_split_0.6_0.2_{number}.npz'
        path = folder / 'geom-gcn' / 'raw' / file
        masks = read_arrays(path, _MASKS)
        for key, mask in masks.items():
            is_binary = bool(((mask == 0) | (mask == 1)).all())
            if mask.shape != (num_nodes,) or not is_binary:
                raise CorruptDatasetError(
                    path, f"'{key}' must be a mask of {num_nodes} nodes"
                )
        splits.append(masks)
    return {
        key: torch.from_numpy(
            np.stack([masks[key].astype(bool) for masks in splits], axis=1)
        )
        for key in _MASKS
    }
