"""What a graph must have for its nodes to be classified."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data, HeteroData
from torch_geometric.utils import coalesce, is_undirected, to_undirected

from gmoe.common.shown import counted
from gmoe.datasets.molecules.targets import MAX_CLASSES
from gmoe.datasets.nodes.splits import MASKS


def check_node_graph(data: Any) -> None:
    """Refuses a graph that no network can learn from. Isolated nodes are
    fine, and so are nodes without a class in no part of the split.

    Args:
        data: The graph, with :obj:`x`, :obj:`edge_index`, :obj:`y` and three
            masks of shape ``[N]``.

    Raises:
        TypeError: If it is no :obj:`Data`.
        ValueError: If something is missing, or not what it must be.
    """
    check_parts(data)
    for key in MASKS:
        mask = data.get(key)
        if not _is_a(mask, torch.bool, [data.num_nodes]):
            raise ValueError(
                f"'{key}' must be a bool tensor of shape [{data.num_nodes}], "
                f'got {_form(mask)}'
            )
    for i, key in enumerate(MASKS):
        for other in MASKS[:i]:
            both = data[key] & data[other]
            if both.any():
                raise ValueError(
                    f"'{key}' and '{other}' must not overlap, got node "
                    f'{_first(both)} in both '
                    f'({counted(int(both.sum()), "such node")})'
                )
        if key != 'test_mask' and not data[key].any():
            raise ValueError(f"'{key}' must hold a node, got none")
        y = data.y
        missing = y < 0 if y.dim() == 1 else y.isnan().all(dim=1)
        missing = missing & data[key]
        if missing.any():
            raise ValueError(
                f"'y' must have a class for each node of '{key}', got none "
                f'for node {_first(missing)} '
                f'({counted(int(missing.sum()), "such node")})'
            )


def check_parts(data: Any) -> None:
    """Refuses a graph whose features, edges or classes are not what they must
    be, whatever its split. The argument and the errors are those of
    :func:`check_node_graph`.
    """
    if isinstance(data, HeteroData):
        raise TypeError(
            "'data' must be a Data of one kind of nodes, got a HeteroData; "
            'make it one first: data.to_homogeneous()'
        )
    if not isinstance(data, Data):
        raise TypeError(f"'data' must be a Data, got {type(data).__name__}")
    x, edge_index, y = data.get('x'), data.get('edge_index'), data.get('y')
    if (
        not _is_a(x, torch.float32, [-1, -1])
        or x.layout != torch.strided
        or 0 in x.shape
    ):
        raise ValueError(
            "'x' must be a dense float32 tensor of shape [num_nodes, "
            f'num_features], got {_form(x)}'
        )
    # A sum that is finite has finite terms only, and takes less time.
    if not x.sum().isfinite() and not x.isfinite().all():
        wrong = ~x.isfinite().all(dim=1)
        raise ValueError(
            f"'x' must be finite, got NaN or infinity at node "
            f'{_first(wrong)} ({counted(int(wrong.sum()), "such node")})'
        )
    _check_edges(edge_index, len(x))
    weight = data.get('edge_weight')
    if weight is not None:
        size = edge_index.size(1)
        if not _is_a(weight, torch.float32, [size]):
            raise ValueError(
                f"'edge_weight' must be {size} float32 numbers >= 0, got "
                f'{_form(weight)}'
            )
        wrong = ~(weight.isfinite() & (weight >= 0))
        if wrong.any():
            raise ValueError(
                "'edge_weight' must hold finite numbers >= 0, got "
                f'{float(weight[wrong][0])} '
                f'({counted(int(wrong.sum()), "such edge")})'
            )
    _check_labels(y, len(x))


def one_edge_each(data: Data, undirected: bool) -> list[str]:
    """Keeps one of several equal edges and, if that is asked for, gives each
    edge its opposite; weights of the same edge are averaged.

    Args:
        data: The graph, which has been checked. It is changed.
        undirected: Whether edges go both ways.

    Returns:
        What was done, as sentences.
    """
    ends, weight = data.edge_index, data.get('edge_weight')
    notes = []
    before = ends.size(1)
    ends, weight = _joined(coalesce, ends, weight, data.num_nodes)
    if ends.size(1) < before:
        twice = counted(before - ends.size(1), 'edge')
        notes.append(f'{twice} of {before} left out: they are there twice')
    if not is_undirected(ends, num_nodes=data.num_nodes):
        note = 'Edges go one way, as they are given'
        if undirected:
            before = ends.size(1)
            ends, weight = _joined(to_undirected, ends, weight, data.num_nodes)
            note = (
                f'Edges go both ways: {before} made '
                f'{counted(ends.size(1), "edge")}'
            )
        notes.append(note)
    data.edge_index = ends
    if weight is not None:
        data.edge_weight = weight
    return notes


def _joined(
    how: Any, ends: Tensor, weight: Tensor | None, num_nodes: int
) -> tuple[Tensor, Tensor | None]:
    if weight is None:
        return how(ends, num_nodes=num_nodes), None
    return how(ends, weight, num_nodes=num_nodes, reduce='mean')


def _check_edges(edge_index: Any, num_nodes: int) -> None:
    if not _is_a(edge_index, torch.long, [2, -1]):
        raise ValueError(
            "'edge_index' must be an int64 tensor of shape [2, num_edges], "
            f'got {_form(edge_index)}'
        )
    if edge_index.numel() == 0:
        return
    low, high = int(edge_index.min()), int(edge_index.max())
    if low < 0 or high >= num_nodes:
        raise ValueError(
            f"'edge_index' must hold ids of nodes from 0 to {num_nodes - 1}, "
            f'got {low if low < 0 else high}'
        )


def _check_labels(y: Any, num_nodes: int) -> None:
    if _is_a(y, torch.long, [num_nodes]):
        low, high = int(y.min()), int(y.max())
        if low < -1 or high >= MAX_CLASSES:
            raise ValueError(
                f"'y' must hold classes from 0 to {MAX_CLASSES - 1}, or -1 "
                f'where there is none, got {low if low < -1 else high}'
            )
        return
    is_binary = _is_a(y, torch.float32, [num_nodes, -1]) and y.size(1) > 0
    if is_binary:
        is_binary = bool(((y == 0) | (y == 1) | y.isnan()).all())
    if not is_binary:
        raise ValueError(
            "'y' must be int64 classes of shape "
            f'[{num_nodes}], or float32 labels of shape [{num_nodes}, tasks] '
            f'that are 0, 1 or NaN, got {_form(y)}'
        )


def _is_a(value: Any, dtype: torch.dtype, shape: list[int]) -> bool:
    return (
        isinstance(value, Tensor)
        and value.dtype == dtype
        and value.dim() == len(shape)
        and all(want in (-1, got) for want, got in zip(shape, value.shape))
    )


def _first(mask: Tensor) -> int:
    return int(mask.nonzero()[0])


def _form(value: Any) -> str:
    if isinstance(value, Tensor):
        return f'{value.dtype} of shape {list(value.shape)}'
    return 'none' if value is None else type(value).__name__
