"""The hop-2 edges of a graph, fast enough to be built every step."""

from typing import Literal

import torch
from torch import Tensor

Mode = Literal['exact', 'released']
MODES = ('exact', 'released')


def two_hop_edges(
    edge_index: Tensor,
    edge_attr: Tensor | None = None,
    num_nodes: int | None = None,
    *,
    mode: Mode = 'exact',
    coalesce: bool = False,
    batch: Tensor | None = None,
) -> tuple[Tensor, Tensor | None]:
    r"""Returns one hop-2 edge for every path of two edges.

    With :obj:`mode="exact"`, a path :math:`u \to v \to w` gives the edge
    :math:`u \to w` if :math:`w \neq u` and there is no edge
    :math:`u \to w`, *i.e.* if :math:`w` is at distance exactly two.
    Edges come in path order: by the position of the first edge in
    :obj:`edge_index`, then by that of the second one.

    With :obj:`mode="released"`, the hop-2 edges are those of the code
    released with the `"Graph Mixture of Experts: Learning on Large-Scale
    Graphs with Explicit Diversity Modeling"
    <https://arxiv.org/abs/2304.02806>`_ paper. It leaves out a path if the
    *node id* of :math:`w` is found among the *edge ids* of the edges that
    start at :math:`u`, both counted within the graph. Triangles are hence
    not excluded, and some true pairs are lost.

    Args:
        edge_index (torch.Tensor): The edges, of one graph or of a batch.
        edge_attr (torch.Tensor, optional): The edge features.
            (default: :obj:`None`)
        num_nodes (int, optional): The number of nodes, inferred from
            :obj:`edge_index` (and :obj:`batch`) if it is not given.
            (default: :obj:`None`)
        mode (str, optional): :obj:`"exact"` or :obj:`"released"`.
            (default: :obj:`"exact"`)
        coalesce (bool, optional): If set to :obj:`True`, keeps only the
            first path of each pair :math:`(u, w)`.
            (default: :obj:`False`)
        batch (torch.Tensor, optional): The graph of each node. Needed for
            a batch of graphs with :obj:`mode="released"`, since ids are
            local to a graph there, and without effect otherwise. Edges and
            nodes need to be grouped by graph, as PyG groups them.
            (default: :obj:`None`)

    Shapes:
        - **input:** edges :math:`(2, |E|)`, edge features
          :math:`(|E|, F)` or :math:`(|E|)`, batch vector :math:`(|V|)`
        - **output:** hop-2 edges :math:`(2, |E_2|)`, the features of both
          edges of each path :math:`(|E_2|, 2F)` or :math:`(|E_2|, 2)`;
          :obj:`None` if :obj:`edge_attr` is :obj:`None`

    Raises:
        TypeError: If an argument that needs to be a tensor is not one.
        ValueError: If an argument has a wrong data type, shape or value.

    Example:
        >>> edge_index = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
        >>> two_hop_edges(edge_index)[0]
        tensor([[0, 2],
                [2, 0]])
    """
    if mode not in MODES:
        raise ValueError(f"'mode' needs to be one of {MODES} (got {mode!r})")
    num_nodes = _check_edges(edge_index, num_nodes, batch)
    num_edges = edge_index.size(1)
    _check_edge_attr(edge_attr, num_edges, edge_index.device)

    src, dst = edge_index[0], edge_index[1]
    first, second = _paths(src, dst, num_nodes)
    u, w = src.index_select(0, first), dst.index_select(0, second)

    if mode == 'exact':
        keep = ~_are_edges(u, w, src, dst, num_nodes)
    else:
        keep = ~_are_edge_ids(u, w, src, dst, num_nodes, batch)
    kept = keep.logical_and_(u != w).nonzero().view(-1)
    if coalesce:
        pair = u.index_select(0, kept) * num_nodes + w.index_select(0, kept)
        kept = kept.index_select(0, _first_occurrences(pair))

    out_index = torch.stack(
        [
            u.index_select(0, kept),
            w.index_select(0, kept),
        ]
    )
    if edge_attr is None:
        return out_index, None

    attr = [
        edge_attr.index_select(0, edge.index_select(0, kept))
        for edge in (first, second)
    ]
    if edge_attr.dim() == 1:
        return out_index, torch.stack(attr, dim=-1)
    return out_index, torch.cat(attr, dim=-1)


def _paths(src: Tensor, dst: Tensor, num_nodes: int) -> tuple[Tensor, Tensor]:
    """Returns the first and the second edge of every path of two edges."""
    # A stable sort keeps the edges of a node in their order, and with it
    # the order of the paths the same on every device.
    order = src.argsort(stable=True)
    degree = torch.bincount(src, minlength=num_nodes)
    start = degree.cumsum(0) - degree

    count = degree.index_select(0, dst)
    end = count.cumsum(0)
    num_paths = int(end[-1]) if end.numel() > 0 else 0
    first = torch.repeat_interleave(count, output_size=num_paths)
    # Position of a path's second edge among the sorted edges: the start of
    # its node's edges, plus the rank of the path among those of `first`.
    shift = start.index_select(0, dst) - (end - count)
    position = torch.arange(num_paths, device=src.device)
    position += shift.index_select(0, first)
    return first, order.index_select(0, position)


def _are_edges(
    u: Tensor,
    w: Tensor,
    src: Tensor,
    dst: Tensor,
    num_nodes: int,
) -> Tensor:
    """Returns whether there is an edge from `u` to `w`."""
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
    """Returns whether the node id `w` is the id of an edge from `u`."""
    if batch is None:
        edge_id = w
        in_graph = w < src.numel()
    else:
        graph = _check_grouped(src, dst, batch)
        num_graphs = int(batch[-1]) + 1 if batch.numel() > 0 else 0
        node_ptr = _pointer(batch, num_graphs)
        edge_ptr = _pointer(graph, num_graphs)
        graph = batch.index_select(0, u)
        edge_id = w - node_ptr[graph] + edge_ptr[graph]
        in_graph = edge_id < edge_ptr[graph + 1]
    if src.numel() == 0:
        return torch.zeros_like(u, dtype=torch.bool)
    edge_id = edge_id.clamp(max=src.numel() - 1)
    return in_graph & (src.index_select(0, edge_id) == u)


def _first_occurrences(value: Tensor) -> Tensor:
    """Returns the positions at which a value occurs for the first time."""
    value, order = value.sort(stable=True)
    is_first = torch.ones_like(value, dtype=torch.bool)
    torch.ne(value[1:], value[:-1], out=is_first[1:])
    return order[is_first].sort()[0]


def _pointer(group: Tensor, num_groups: int) -> Tensor:
    count = torch.bincount(group, minlength=num_groups)
    return torch.cat([count.new_zeros(1), count.cumsum(0)])


def _check_edges(
    edge_index: Tensor,
    num_nodes: int | None,
    batch: Tensor | None,
) -> int:
    """Checks `edge_index`, `num_nodes`, `batch`; returns `num_nodes`."""
    _check_index('edge_index', edge_index)
    if edge_index.dim() != 2 or edge_index.size(0) != 2:
        raise ValueError(
            f"'edge_index' needs to be of shape [2, num_edges] "
            f'(got {list(edge_index.shape)})'
        )
    if batch is not None:
        _check_index('batch', batch)
        if batch.dim() != 1:
            raise ValueError(
                f"'batch' needs to be of shape [num_nodes] "
                f'(got {list(batch.shape)})'
            )
    low, high = 0, -1
    if edge_index.numel() > 0:
        low, high = (int(value) for value in torch.aminmax(edge_index))
    if num_nodes is None:
        num_nodes = high + 1 if batch is None else batch.numel()
    if num_nodes < 0:
        raise ValueError(
            f"'num_nodes' needs to be non-negative (got {num_nodes})"
        )
    if low < 0 or high >= num_nodes:
        raise ValueError(
            f"'edge_index' needs to hold node ids from 0 to "
            f'{num_nodes - 1} (got ids from {low} to {high})'
        )
    if batch is not None and batch.numel() != num_nodes:
        raise ValueError(
            f"'batch' needs to hold one graph for each of the "
            f'{num_nodes} nodes (got {batch.numel()} values)'
        )
    return num_nodes


def _check_index(name: str, value: Tensor) -> None:
    if not isinstance(value, Tensor):
        raise TypeError(
            f"'{name}' needs to be a torch.Tensor (got {type(value).__name__})"
        )
    if value.dtype != torch.long:
        raise ValueError(
            f"'{name}' needs to be of data type torch.int64 "
            f'(got {value.dtype})'
        )


def _check_edge_attr(
    edge_attr: Tensor | None,
    num_edges: int,
    device: torch.device,
) -> None:
    if edge_attr is None:
        return
    if not isinstance(edge_attr, Tensor):
        raise TypeError(
            f"'edge_attr' needs to be a torch.Tensor or None "
            f'(got {type(edge_attr).__name__})'
        )
    if edge_attr.dim() == 0 or edge_attr.size(0) != num_edges:
        raise ValueError(
            f"'edge_attr' needs to hold one row for each of "
            f"the {num_edges} edges in 'edge_index' (got shape "
            f'{list(edge_attr.shape)})'
        )
    if edge_attr.device != device:
        raise ValueError(
            f"'edge_attr' needs to be on the device of "
            f"'edge_index', {device} (got {edge_attr.device})"
        )


def _check_grouped(src: Tensor, dst: Tensor, batch: Tensor) -> Tensor:
    """Checks that ids can be counted within a graph; returns that of edges."""
    graph = batch.index_select(0, src)
    if batch.numel() > 0 and int(batch[0]) < 0:
        raise ValueError(
            f"'batch' needs to hold non-negative graph ids "
            f'(got {int(batch[0])})'
        )
    if not bool((batch[1:] >= batch[:-1]).all()):
        raise ValueError(
            "'batch' needs to be sorted in ascending order, as "
            'in a PyG batch (got an unsorted vector)'
        )
    if not bool((graph == batch.index_select(0, dst)).all()):
        raise ValueError(
            "'edge_index' needs to hold edges within one graph "
            "of 'batch' only (got an edge between two graphs)"
        )
    if not bool((graph[1:] >= graph[:-1]).all()):
        raise ValueError(
            "'edge_index' needs to hold its edges grouped by "
            'graph, as in a PyG batch (got another order)'
        )
    return graph
