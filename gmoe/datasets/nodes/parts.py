"""The parts of a graph, and the graphs of some of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.utils import cumsum


class NodeParts:
    """A graph that is cut into parts, of which some are taken together with
    all edges between them, as in `"Cluster-GCN"
    <https://arxiv.org/abs/1905.07953>`_.

    It takes 24 bytes for each edge beside the graph, and to take some parts
    takes time for their own edges only.

    Args:
        data: The graph, with :obj:`edge_index`, and with :obj:`x` and
            :obj:`edge_weight` if it has some.
        part: The part of each node, of shape ``[num_nodes]``.
    """

    def __init__(self, data: Data, part: Tensor) -> None:
        self.data = data
        self.part = part
        self.num_parts = int(part.max()) + 1
        #: The nodes, one part after the other, and where each part starts.
        self._node = part.argsort(stable=True)
        self._first_node = cumsum(
            torch.bincount(part, minlength=self.num_parts)
        )
        # The edges by the part of their target.
        owner = part[data.edge_index[1]]
        self._edge = owner.argsort(stable=True)
        self._ends = data.edge_index[:, self._edge]
        self._first_edge = cumsum(
            torch.bincount(owner, minlength=self.num_parts)
        )

    def graph(self, parts: Sequence[int]) -> Data:
        """The graph of some parts.

        Args:
            parts: Their numbers.

        Returns:
            :obj:`edge_index`, :obj:`x` and :obj:`edge_weight` of the parts,
            and :obj:`node`, the number of each node in the whole graph.
        """
        node = self._node[_ranges(self._first_node, parts)]
        edges = _ranges(self._first_edge, parts)
        place = torch.full((len(self.part),), -1)
        place[node] = torch.arange(len(node))
        ends = place[self._ends[:, edges]]
        is_inside = ends[0] >= 0
        out = Data(edge_index=ends[:, is_inside], node=node)
        if 'x' in self.data:
            out.x = self.data.x[node]
        if 'edge_weight' in self.data:
            number = self._edge[edges[is_inside]]
            out.edge_weight = self.data.edge_weight[number]
        return out


def _ranges(first: Tensor, parts: Sequence[int]) -> Tensor:
    bounds = first.tolist()
    return torch.cat([torch.arange(bounds[p], bounds[p + 1]) for p in parts])
