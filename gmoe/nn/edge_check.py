"""Checks of edges: of their shape, their type and their ends. Each raises a
:obj:`ValueError` for what it refuses."""

from __future__ import annotations

import torch
from torch import Tensor

from gmoe.common.arguments import check_integer

#: How to mend hop-2 edges that are out of date.
TWO_HOP_LAST = (
    'apply gmoe.transforms.TwoHop last, after all that changes nodes or '
    'edges, as in NeighborLoader(..., transform=TwoHop())'
)


def check_type(name: str, index: Tensor) -> None:
    """Refuses indices of another type than int64.

    Args:
        name: How error messages call them.
        index: The indices.
    """
    if index.dtype != torch.long:
        raise ValueError(
            f"'{name}' must have the type torch.int64, got {index.dtype}"
        )


def check_dense(edge_index: object, name: str = 'edge_index') -> Tensor:
    """The edges, if they are a tensor and not a sparse adjacency.

    Args:
        edge_index: The edges.
        name: How the error message calls them.
    """
    kind = type(edge_index).__name__
    if isinstance(edge_index, Tensor):
        if edge_index.layout == torch.strided:
            return edge_index
        kind = f'sparse one ({edge_index.layout})'
    raise ValueError(
        f"'{name}' must be a tensor of shape [2, num_edges], got a {kind}; of "
        "a sparse adjacency 'adj_t', give its column and row indices: "
        'torch_geometric.utils.to_edge_index(adj_t)[0].flip(0)'
    )


def check_rows(
    edge_attr: Tensor | None, edge_index: Tensor, name: str = 'edge_index'
) -> None:
    """Refuses features of edges that are not one row for each.

    Args:
        edge_attr: The features.
        edge_index: The edges.
        name: How the error message calls the edges.
    """
    if edge_attr is not None and (
        edge_attr.dim() not in (1, 2)
        or edge_attr.size(0) != edge_index.size(1)
    ):
        raise ValueError(
            f"'{name.replace('index', 'attr')}' must have shape [num_edges, "
            f'num_features] with num_edges={edge_index.size(1)} as in '
            f"'{name}', got {list(edge_attr.shape)}"
        )


def check_edges(
    edge_index: Tensor, edge_attr: Tensor | None, num_nodes: int, name: str
) -> None:
    """Refuses edges and features that are not of one graph, by their shapes,
    types, numbers and node ids.

    Args:
        edge_index: The edges.
        edge_attr: Their features.
        num_nodes: The number of nodes.
        name: How error messages call the edges.
    """
    edge_index = check_dense(edge_index, name)
    if edge_index.dim() != 2 or edge_index.size(0) != 2:
        raise ValueError(
            f"'{name}' must have shape [2, num_edges], got "
            f'{list(edge_index.shape)}'
        )
    check_type(name, edge_index)
    check_rows(edge_attr, edge_index, name)
    if torch.compiler.is_compiling():
        return
    if not isinstance(num_nodes, torch.SymInt):
        check_integer(0, num_nodes=num_nodes)
    if edge_index.device.type != 'cpu':
        return
    if edge_index.numel() > 0:
        low, high = (int(value) for value in edge_index.aminmax())
        if low < 0 or high >= num_nodes:
            is_hop_2 = name == 'edge_index_2hop'
            raise ValueError(
                f"'{name}' must hold node ids from 0 to {num_nodes - 1}, got "
                f'{low if low < 0 else high}'
                + (f': {TWO_HOP_LAST}' if is_hop_2 else '')
            )
