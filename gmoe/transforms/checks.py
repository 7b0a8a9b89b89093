"""Checks of the graphs and batches that transforms are given."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data
from torch_geometric.utils import cumsum


def check_graph(data: Any) -> None:
    """Refuses what is no graph with edges.

    Args:
        data: The graph or the batch of graphs.

    Raises:
        TypeError: If it is neither a :class:`Data` nor a :class:`Batch` of
            PyG.
        ValueError: If it has no :obj:`edge_index`, or is a batch without a
            :obj:`batch` vector.
    """
    if not isinstance(data, Data):
        raise TypeError(
            "'data' must be a 'Data' or a 'Batch' of PyG, got "
            f'{type(data).__name__!r}'
        )
    if not isinstance(data.edge_index, Tensor):
        raise ValueError(
            "'data' must have a tensor 'edge_index', got the attributes "
            f'{sorted(data.keys())}'
        )
    if isinstance(data, Batch) and data.get('batch') is None:
        raise ValueError(
            "'data' must have a 'batch' vector, as it is a 'Batch', got the "
            f'attributes {sorted(data.keys())}'
        )


def node_ptr(data: Data) -> Tensor:
    """The first node of each graph, and the number of nodes.

    Args:
        data: A graph or a batch of graphs.

    Shapes:
        - **output:** int64 of shape :math:`(B + 1)`
    """
    if not isinstance(data, Batch):
        return data.edge_index.new_tensor([0, int(data.num_nodes)])
    if data.get('ptr') is not None:
        return data.ptr
    return cumsum(torch.bincount(data.batch, minlength=data.num_graphs))
