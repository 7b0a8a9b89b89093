"""The hop-2 edges in eager PyTorch, all paths at once."""

from __future__ import annotations

import torch
from torch import Tensor


def two_hop_eager(
    edge_index: Tensor,
    num_nodes: int,
    mode: str,
    coalesce: bool,
    batch: Tensor | None,
    paths: tuple[Tensor, Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    r"""The reference of the fused op; see
    :func:`~gmoe.ops.two_hop.two_hop_edges`.

    Args:
        edge_index: The edges, int64 of shape :math:`(2, E)`.
        num_nodes: Number of nodes :math:`N`.
        mode: :obj:`"exact"` or :obj:`"released"`.
        coalesce: Whether only the first path of each pair is kept.
        batch: The graph of each node, int64 of shape :math:`(N)`.
        paths: The first and the second edge of each path that is looked at.
            (default: all)

    Returns:
        The hop-2 edges, int64 of shape :math:`(2, E_2)`, and the first and
        the second edge of the path of each, int64 of shape :math:`(E_2, 2)`.
    """
    first, second = paths or Paths(edge_index, num_nodes).edges()
    src, dst = edge_index[0], edge_index[1]
    u, w = src.index_select(0, first), dst.index_select(0, second)

    if mode == 'exact':
        keep = ~_are_edges(u, w, src, dst, num_nodes)
    else:
        keep = ~_are_edge_ids(u, w, src, dst, num_nodes, batch)
    kept = keep.logical_and_(u != w).nonzero().view(-1)
    if coalesce:
        pair = u.index_select(0, kept) * num_nodes + w.index_select(0, kept)
        kept = kept.index_select(0, _first_occurrences(pair))

    u, w, first, second = (
        value.index_select(0, kept) for value in (u, w, first, second)
    )
    return torch.stack([u, w]), torch.stack([first, second], dim=1)


def blocked_nodes(
    edge_index: Tensor, mode: str, batch: Tensor | None
) -> Tensor:
    r"""The node that each edge keeps from being a hop-2 neighbour of its
    source: the edge's target, or with :obj:`mode="released"` the node whose
    id is that of the edge.

    Args:
        edge_index: The edges, int64 of shape :math:`(2, E)`.
        mode: :obj:`"exact"` or :obj:`"released"`.
        batch: The graph of each node, int64 of shape :math:`(N)`.

    Returns:
        Node ids, int64 of shape :math:`(E)`. Those that are beyond the nodes
        of the graph mean nothing.

    Raises:
        ValueError: If ids cannot be counted within a graph of :obj:`batch`.
    """
    if mode == 'exact':
        return edge_index[1]
    edge_id = torch.arange(edge_index.size(1), device=edge_index.device)
    if batch is None:
        return edge_id
    graph, node_ptr, edge_ptr = _pointers(edge_index[0], edge_index[1], batch)
    return edge_id + (node_ptr - edge_ptr).index_select(0, graph)


class Paths:
    """The paths of two edges, numbered by their first edge, then by their
    second one.

    Args:
        edge_index: The edges.
        num_nodes: Number of nodes.
    """

    def __init__(self, edge_index: Tensor, num_nodes: int) -> None:
        src, dst = edge_index[0], edge_index[1]
        # A stable sort keeps the edges of a node in their order, and with it
        # the order of the paths the same on every device.
        self.order = src.argsort(stable=True)
        degree = torch.bincount(src, minlength=num_nodes)
        start = degree.cumsum(0) - degree

        self.count = degree.index_select(0, dst)
        self.end = self.count.cumsum(0)
        self.total = int(self.end[-1]) if self.end.numel() > 0 else 0
        # Position of a path's second edge among the sorted edges: the start
        # of its node's edges, plus the rank of the path among those of its
        # first edge.
        self.shift = start.index_select(0, dst) - (self.end - self.count)

    def edges(self, number: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The first and the second edge of some paths.

        Args:
            number: Which paths, in ascending order. (default: all)
        """
        if number is None:
            first = torch.repeat_interleave(self.count, output_size=self.total)
            position = torch.arange(self.total, device=first.device)
        else:
            first = torch.searchsorted(self.end, number, right=True)
            position = number.clone()
        position += self.shift.index_select(0, first)
        return first, self.order.index_select(0, position)


def _are_edges(
    u: Tensor,
    w: Tensor,
    src: Tensor,
    dst: Tensor,
    num_nodes: int,
) -> Tensor:
    """Whether there is an edge from ``u`` to ``w``."""
    if src.numel() == 0:
        return torch.zeros_like(u, dtype=torch.bool)
    edges = (src * num_nodes + dst).sort()[0]
    pairs = u * num_nodes + w
    position = torch.searchsorted(edges, pairs)
    position.clamp_(max=edges.numel() - 1)
    return edges.index_select(0, position) == pairs


def _are_edge_ids(
    u: Tensor,
    w: Tensor,
    src: Tensor,
    dst: Tensor,
    num_nodes: int,
    batch: Tensor | None,
) -> Tensor:
    """Whether the node id ``w`` is the id of an edge from ``u``."""
    if batch is None:
        edge_id = w
        in_graph = w < src.numel()
    else:
        _, node_ptr, edge_ptr = _pointers(src, dst, batch)
        graph = batch.index_select(0, u)
        edge_id = w - node_ptr[graph] + edge_ptr[graph]
        in_graph = edge_id < edge_ptr[graph + 1]
    if src.numel() == 0:
        return torch.zeros_like(u, dtype=torch.bool)
    edge_id = edge_id.clamp(max=src.numel() - 1)
    return in_graph & (src.index_select(0, edge_id) == u)


def _first_occurrences(value: Tensor) -> Tensor:
    """The positions at which a value occurs for the first time."""
    value, order = value.sort(stable=True)
    is_first = torch.ones_like(value, dtype=torch.bool)
    torch.ne(value[1:], value[:-1], out=is_first[1:])
    return order[is_first].sort()[0]


def _pointers(
    src: Tensor, dst: Tensor, batch: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The graph of each edge; where nodes and edges of each graph start."""
    graph = _check_grouped(src, dst, batch)
    num_graphs = int(batch[-1]) + 1 if batch.numel() > 0 else 0
    return graph, _pointer(batch, num_graphs), _pointer(graph, num_graphs)


def _pointer(group: Tensor, num_groups: int) -> Tensor:
    count = torch.bincount(group, minlength=num_groups)
    return torch.cat([count.new_zeros(1), count.cumsum(0)])


def _check_grouped(src: Tensor, dst: Tensor, batch: Tensor) -> Tensor:
    """The graph of each edge, if ids can be counted within one."""
    graph = batch.index_select(0, src)
    if batch.numel() > 0 and int(batch[0]) < 0:
        raise ValueError(
            f"'batch' must hold graph ids >= 0, got {int(batch[0])}"
        )
    if not bool((batch[1:] >= batch[:-1]).all()):
        raise ValueError(
            "'batch' must be sorted in ascending order, as in a PyG batch, "
            'got an unsorted vector'
        )
    if not bool((graph == batch.index_select(0, dst)).all()):
        raise ValueError(
            "'edge_index' must hold edges within one graph of 'batch' only, "
            'got an edge between two graphs'
        )
    if not bool((graph[1:] >= graph[:-1]).all()):
        raise ValueError(
            "'edge_index' must hold its edges grouped by graph, as in a PyG "
            'batch, got another order'
        )
    return graph
