"""Columns that tell a router of a node's place in its graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.transforms import BaseTransform
from torch_geometric.utils import (
    coalesce,
    remove_self_loops,
    to_undirected,
)

from gmoe import ops
from gmoe.common.arguments import check_choice, check_integer
from gmoe.transforms.checks import check_graph

#: What a column can tell.
COLUMNS = ('degree', 'clustering', 'walks', 'agreement')

# The most numbers of the dense columns that are at hand at a time.
_MAX_BLOCK = 2**22


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
    graph do not depend on what else is in a batch. Clustering and walks are
    products of the sparse adjacency with a few dense columns at a time: little
    memory, and time that grows with nodes times edges. They are best made
    before batching.

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
        # Both ways, so that the order by sender does for the receiver.
        near = ops.Adjacency.from_sorted(edges[1], edges[0], n)
        makers = {
            'degree': lambda: near.ptr.diff().float().log1p().unsqueeze(1),
            'clustering': lambda: _clustering(near),
            'walks': lambda: _walks(near, self.num_walks),
            'agreement': lambda: _agreement(near, data.get('x')),
        }
        made = [makers[name]() for name in self.columns]
        data.router_input = torch.cat(made, dim=1)
        return data

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({list(self.columns)}, '
            f'num_walks={self.num_walks})'
        )


def _blocks(near: ops.Adjacency, weight: Tensor) -> Iterator[Tensor]:
    """The columns of the symmetric matrix of some weights, a few at a time."""
    n = near.num_nodes
    width = max(1, _MAX_BLOCK // max(1, n))
    for start in range(0, n, width):
        end = min(start + width, n)
        block = weight.new_zeros(n, end - start)
        edge = slice(int(near.ptr[start]), int(near.ptr[end]))
        column = near.receiver[edge] - start
        block[near.sender[edge], column] = weight[edge]
        yield block


def _clustering(near: ops.Adjacency) -> Tensor:
    ones = torch.ones(near.sender.numel(), device=near.ptr.device)
    # Twice the triangles at each node, over its ordered pairs of neighbours.
    closed = [
        (block * ops.neighbor_sum(block, near)).sum(dim=0)
        for block in _blocks(near, ones)
    ]
    size = near.ptr.diff()
    pairs = (size * (size - 1)).clamp(min=1)
    return (torch.cat([ones[:0], *closed]) / pairs).unsqueeze(1)


def _walks(near: ops.Adjacency, num_walks: int) -> Tensor:
    # The powers of D^-1/2 A D^-1/2, which is symmetric, have the same
    # diagonals: t steps are half of them, times the other half.
    scale = near.ptr.diff().clamp(min=1).float().rsqrt()
    weight = scale[near.sender] * scale[near.receiver]
    out = [weight.new_zeros(0, num_walks)]
    for block in _blocks(near, weight):
        first = second = block
        back = []
        for step in range(num_walks):
            if step % 2 == 1:
                second = ops.neighbor_sum(second, near, weight)
            else:
                first = second
            back.append((first * second).sum(dim=0))
        out.append(torch.stack(back, dim=1))
    return torch.cat(out)


def _agreement(near: ops.Adjacency, x: Tensor | None) -> Tensor:
    if x is None or x.dim() != 2:
        got = None if x is None else list(x.shape)
        raise ValueError(
            "'data' must have features 'x' of shape [num_nodes, "
            f'num_features] for the agreement, got {got}'
        )
    x = x.float()
    # The sum has the angle of the mean.
    total = ops.neighbor_sum(x, near)
    return torch.cosine_similarity(x, total, dim=1).unsqueeze(1)
