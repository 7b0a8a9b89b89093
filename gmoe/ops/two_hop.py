"""The hop-2 edges of a graph, fast enough to be built every step."""

from __future__ import annotations

from numbers import Integral
from typing import Literal

import torch
from torch import Tensor

from gmoe.ops._two_hop_eager import blocked_nodes, two_hop_eager
from gmoe.ops._two_hop_size import (
    FEW_PATHS,
    choose,
    most_hop_2,
    most_in_memory,
    num_paths,
    sample_two_hop,
)
from gmoe.ops.backend import declare_op, use_native

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
    max_edges: int | None = None,
    seed: int | None = None,
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

    On CUDA the host waits for the range of the node ids, for the number of
    hop-2 edges and, with :obj:`mode="released"` and :obj:`batch`, for the
    grouping: call it where the data is made ready.

    Args:
        edge_index: The edges of one graph or of a batch, int64 of shape
            :math:`(2, E)`.
        edge_attr: Their features, of shape :math:`(E, F)` or :math:`(E)`.
        num_nodes: The number of nodes. (default: as :obj:`edge_index` and
            :obj:`batch` have them)
        mode: :obj:`"exact"` or :obj:`"released"`.
        coalesce: Whether only the first path of each pair :math:`(u, w)` is
            kept.
        batch: The graph of each node, int64 of shape :math:`(N)`. It must be
            given for a batch of graphs with :obj:`mode="released"`, since
            ids are local to a graph there, and has no effect otherwise.
            Edges and nodes must be grouped by graph, as PyG groups them.
        max_edges: The most hop-2 edges that are wanted. A node with :math:`d`
            neighbours makes about :math:`d^2` of them. (default: as many as
            take half of the memory)
        seed: If there are more than :obj:`max_edges`, that many are drawn
            with this seed, the same ones on every device. Without it, they
            are an error.

    Returns:
        The hop-2 edges, int64 of shape :math:`(2, E_2)`, and the features of
        both edges of each path, of shape :math:`(E_2, 2F)` or
        :math:`(E_2, 2)`; :obj:`None` without :obj:`edge_attr`.

    Raises:
        TypeError: If an argument that must be a tensor is not one.
        ValueError: If an argument has a wrong data type, shape or value, or
            there are too many hop-2 edges.

    Example:
        >>> edge_index = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
        >>> two_hop_edges(edge_index)[0]
        tensor([[0, 2],
                [2, 0]])
    """
    if mode not in MODES:
        raise ValueError(f"'mode' must be one of {MODES}, got {mode!r}")
    num_nodes = _check_edges(edge_index, num_nodes, batch)
    _check_edge_attr(edge_attr, edge_index.size(1), edge_index.device)
    check_cap(max_edges, seed)

    # Ids that are far apart take no more memory than others.
    ids = None
    if mode == 'exact' and num_nodes > 8 * edge_index.numel() + 4096:
        ids, edge_index = edge_index.unique(return_inverse=True)
        num_nodes = ids.numel()
    _check_pairs(num_nodes)
    limit = max_edges
    if limit is None:
        limit = most_in_memory(edge_index, edge_attr)
    if _are_too_many(edge_index, num_nodes, coalesce, limit):
        if seed is None:
            most = most_hop_2(edge_index, num_nodes, coalesce)
            raise ValueError(_too_many(f'up to {most:,}', limit, max_edges))
        out_index, path = sample_two_hop(
            edge_index, num_nodes, mode, coalesce, batch, limit, seed
        )
    else:
        out_index, path = _build(edge_index, num_nodes, mode, coalesce, batch)
    size = out_index.size(1)
    if max_edges is not None and size > max_edges:
        if seed is None:
            raise ValueError(_too_many(f'{size:,}', limit, max_edges))
        kept = choose(size, max_edges, seed).to(path.device)
        out_index, path = out_index[:, kept], path[kept]
    if ids is not None:
        out_index = ids[out_index]
    if edge_attr is None:
        return out_index, None
    attr = edge_attr.index_select(0, path.view(-1))
    attr = attr.view(*path.shape, *edge_attr.shape[1:])
    if edge_attr.dim() > 1:  # The last dimension of the one, then the other.
        attr = attr.movedim(1, -2).flatten(-2)
    return out_index, attr


def _build(
    edge_index: Tensor,
    num_nodes: int,
    mode: Mode,
    coalesce: bool,
    batch: Tensor | None,
) -> tuple[Tensor, Tensor]:
    if not use_native(edge_index):
        return two_hop_eager(edge_index, num_nodes, mode, coalesce, batch)
    return torch.ops.gmoe.two_hop(
        edge_index.contiguous(),
        blocked_nodes(edge_index, mode, batch).contiguous(),
        num_nodes,
        coalesce,
    )


def _are_too_many(
    edge_index: Tensor, num_nodes: int, coalesce: bool, limit: int
) -> bool:
    # Where there are few paths, they are built to see. Most graphs are too
    # small to count.
    allowed = max(limit, FEW_PATHS)
    if edge_index.size(1) ** 2 <= allowed:
        return False
    if num_paths(edge_index, num_nodes) <= allowed:
        return False
    return most_hop_2(edge_index, num_nodes, coalesce) > limit


def _too_many(got: str, limit: int, max_edges: int | None) -> str:
    name = 'max_edges' if max_edges is not None else 'half of the memory'
    return (
        f"'edge_index' must make at most {limit:,} hop-2 edges ({name}), got "
        f"one that makes {got}: give a 'max_edges' that is larger, or a "
        f"'max_edges' with a 'seed' to draw that many"
    )


def check_cap(max_edges: int | None, seed: int | None) -> None:
    """Refuses a cap of hop-2 edges that is none.

    Args:
        max_edges: The cap.
        seed: The seed.

    Raises:
        ValueError: If the cap is no count, the seed no integer of 64 bits, or
            there is a seed but no cap.
    """
    if max_edges is not None and not _is_count(max_edges):
        raise ValueError(
            f"'max_edges' must be an integer >= 0 or None, got {max_edges!r}"
        )
    # The generator takes negative ones and those without a sign.
    if seed is not None and not (
        isinstance(seed, Integral) and -(2**63) <= seed < 2**64
    ):
        raise ValueError(
            f"'seed' must be an integer of 64 bits or None, got {seed!r}"
        )
    if seed is not None and max_edges is None:
        raise ValueError(
            "'seed' must be None without 'max_edges', which says how many "
            f'hop-2 edges are drawn, got {seed}'
        )


def _is_count(value: object) -> bool:
    return isinstance(value, Integral) and int(value) >= 0


def _check_pairs(num_nodes: int) -> None:
    # A pair of nodes is one number where pairs are looked up.
    if num_nodes**2 > torch.iinfo(torch.int64).max:
        raise ValueError(
            "'edge_index' must hold node ids below 3,037,000,500 with "
            f"mode='released', got {num_nodes - 1}"
        )


def _check_edges(
    edge_index: Tensor,
    num_nodes: int | None,
    batch: Tensor | None,
) -> int:
    """The number of nodes up to the last edge's, if all fits together."""
    _check_index('edge_index', edge_index)
    if edge_index.dim() != 2 or edge_index.size(0) != 2:
        raise ValueError(
            f"'edge_index' must have shape [2, num_edges], got "
            f'{list(edge_index.shape)}'
        )
    if batch is not None:
        _check_index('batch', batch)
        if batch.dim() != 1:
            raise ValueError(
                f"'batch' must have shape [num_nodes], got {list(batch.shape)}"
            )
    low, high = 0, -1
    if edge_index.numel() > 0:
        low, high = (int(value) for value in torch.aminmax(edge_index))
    if num_nodes is None:
        num_nodes = high + 1 if batch is None else batch.numel()
    if not _is_count(num_nodes):
        raise ValueError(
            f"'num_nodes' must be an integer >= 0 or None, got {num_nodes!r}"
        )
    if low < 0 or high >= num_nodes:
        raise ValueError(
            f"'edge_index' must hold node ids from 0 to {num_nodes - 1}, got "
            f'ids from {low} to {high}'
        )
    if batch is not None and batch.numel() != num_nodes:
        raise ValueError(
            f"'batch' must hold one graph for each of the {num_nodes} nodes, "
            f'got {batch.numel()} values'
        )
    return high + 1


def _check_index(name: str, value: Tensor) -> None:
    if not isinstance(value, Tensor):
        raise TypeError(
            f"'{name}' must be a torch.Tensor, got {type(value).__name__}"
        )
    if value.dtype != torch.long:
        raise ValueError(f"'{name}' must be torch.int64, got {value.dtype}")


def _check_edge_attr(
    edge_attr: Tensor | None,
    num_edges: int,
    device: torch.device,
) -> None:
    if edge_attr is None:
        return
    if not isinstance(edge_attr, Tensor):
        raise TypeError(
            f"'edge_attr' must be a torch.Tensor or None, got "
            f'{type(edge_attr).__name__}'
        )
    if edge_attr.dim() == 0 or edge_attr.size(0) != num_edges:
        raise ValueError(
            f"'edge_attr' must hold one row for each of the {num_edges} edges "
            f"in 'edge_index', got shape {list(edge_attr.shape)}"
        )
    if edge_attr.device != device:
        raise ValueError(
            f"'edge_attr' must be on the device of 'edge_index', {device}, "
            f'got {edge_attr.device}'
        )


def _fake(
    edge_index: Tensor, blocked: Tensor, num_nodes: int, coalesce: bool
) -> tuple[Tensor, Tensor]:
    size = torch.library.get_ctx().new_dynamic_size()
    return edge_index.new_empty(2, size), edge_index.new_empty(size, 2)


declare_op('two_hop', _fake)
