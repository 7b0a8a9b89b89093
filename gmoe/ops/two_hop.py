"""The hop-2 edges of a graph, fast enough to be built every step."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from gmoe.ops._two_hop_eager import blocked_nodes, two_hop_eager
from gmoe.ops.backend import AVAILABLE, use_native

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

    On CUDA the host waits for the range of the node ids, for the number of
    hop-2 edges and, with :obj:`mode="released"` and :obj:`batch`, for the
    grouping: call it where the data is made ready.

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

    if use_native(edge_index):
        out_index, path = torch.ops.gmoe.two_hop(
            edge_index.contiguous(),
            blocked_nodes(edge_index, mode, batch).contiguous(),
            num_nodes,
            coalesce,
        )
    else:
        out_index, path = two_hop_eager(
            edge_index, num_nodes, mode, coalesce, batch
        )
    if edge_attr is None:
        return out_index, None
    attr = edge_attr.index_select(0, path.view(-1))
    attr = attr.view(*path.shape, *edge_attr.shape[1:])
    if edge_attr.dim() > 1:  # The last dimension of the one, then the other.
        attr = attr.movedim(1, -2).flatten(-2)
    return out_index, attr


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


def _fake(
    edge_index: Tensor, blocked: Tensor, num_nodes: int, coalesce: bool
) -> tuple[Tensor, Tensor]:
    size = torch.library.get_ctx().new_dynamic_size()
    return edge_index.new_empty(2, size), edge_index.new_empty(size, 2)


if AVAILABLE:
    torch.library.register_fake('gmoe::two_hop', _fake)
