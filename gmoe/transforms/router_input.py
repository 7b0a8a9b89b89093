"""Columns that tell a router of a node's place in its graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.transforms import BaseTransform
from torch_geometric.utils import (
    coalesce,
    degree,
    remove_self_loops,
    scatter,
    to_undirected,
)

from gmoe.common.arguments import check_choice, check_integer
from gmoe.transforms.checks import check_graph

#: What a column can tell.
COLUMNS = ('degree', 'clustering', 'walks', 'agreement')


class RouterInput(BaseTransform):
    r"""Adds ``router_input``, columns that tell a router what a node's
    features do not: ``conv(data.x, data.edge_index,
    router_input=data.router_input)``.

    - ``"degree"``: :math:`\log(1 + d_i)` with the number :math:`d_i` of
      neighbours.
    - ``"clustering"``: the share of pairs of neighbours that are neighbours
      of each other (`Watts and Strogatz 1998
      <https://doi.org/10.1038/30918>`_); 0 with fewer than two.
    - ``"walks"``: the probabilities that a random walk is back after
      :math:`2, \ldots, w + 1` steps, :math:`(\mathbf{A}
      \mathbf{D}^{-1})^t_{ii}` (`Dwivedi et al. 2022
      <https://arxiv.org/abs/2110.07875>`_, where 1 step is too).
    - ``"agreement"``: the cosine similarity of a node's features with the
      mean of its neighbours' (the numbers as they are); 0 without any.

    Edges are taken as undirected, without loops, and each once. Columns of a
    graph do not depend on what else is in a batch. Clustering and walks need
    a matrix of the size of all nodes squared, so they are for small graphs,
    and best made before batching.

    Args:
        columns: Which of them, in this order.
        num_walks: The number :math:`w` of columns of ``"walks"``.

    Raises:
        TypeError: If the input is neither a graph nor a batch of graphs.
        ValueError: If an argument is out of range, or the graph has no
            features for the agreement.
    """

    def __init__(
        self, columns: Sequence[str] = ('degree',), num_walks: int = 4
    ) -> None:
        if isinstance(columns, str) or len(columns) == 0:
            raise ValueError(
                f"'columns' must be a list of some of {list(COLUMNS)}, got "
                f'{columns!r}'
            )
        for name in columns:
            check_choice('columns', name, COLUMNS)
        check_integer(1, num_walks=num_walks)
        self.columns = tuple(columns)
        self.num_walks = num_walks

    @property
    def num_columns(self) -> int:
        """The number of columns."""
        sizes = {'walks': self.num_walks}
        return sum(sizes.get(name, 1) for name in self.columns)

    def forward(self, data: Any) -> Any:
        check_graph(data)
        n = int(data.num_nodes)
        edges, _ = remove_self_loops(data.edge_index)
        edges = coalesce(to_undirected(edges, num_nodes=n), num_nodes=n)
        makers = {
            'degree': lambda: degree(edges[0], n).log1p().unsqueeze(1),
            'clustering': lambda: _clustering(edges, n),
            'walks': lambda: _walks(edges, n, self.num_walks),
            'agreement': lambda: _agreement(edges, n, data.get('x')),
        }
        made = [makers[name]() for name in self.columns]
        data.router_input = torch.cat(made, dim=1)
        return data

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({list(self.columns)}, '
            f'num_walks={self.num_walks})'
        )


def _adjacency(edges: Tensor, n: int) -> Tensor:
    adjacency = torch.zeros(n, n, device=edges.device)
    adjacency[edges[0], edges[1]] = 1
    return adjacency


def _clustering(edges: Tensor, n: int) -> Tensor:
    adjacency = _adjacency(edges, n)
    # Twice the triangles at each node, over its ordered pairs of neighbours.
    closed = ((adjacency @ adjacency) * adjacency).sum(dim=1)
    size = adjacency.sum(dim=1)
    return (closed / (size * (size - 1)).clamp(min=1)).unsqueeze(1)


def _walks(edges: Tensor, n: int, num_walks: int) -> Tensor:
    step = _adjacency(edges, n)
    step = step / step.sum(dim=0).clamp(min=1)
    walk, back = step, []
    for _ in range(num_walks):
        walk = walk @ step
        back.append(walk.diagonal())
    return torch.stack(back, dim=1)


def _agreement(edges: Tensor, n: int, x: Tensor | None) -> Tensor:
    if x is None or x.dim() != 2:
        got = None if x is None else list(x.shape)
        raise ValueError(
            "'data' must have features 'x' of shape [num_nodes, "
            f'num_features] for the agreement, got {got}'
        )
    x = x.float()
    mean = scatter(x[edges[0]], edges[1], 0, n, reduce='mean')
    return torch.cosine_similarity(x, mean, dim=1).unsqueeze(1)
