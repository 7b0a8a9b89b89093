"""What a router sees of each node."""

from __future__ import annotations

from torch import Tensor

from gmoe import ops
from gmoe.nn.arguments import with_columns
from gmoe.nn.experts.shared.conv import adjacency_of
from gmoe.nn.neighborhood import Neighborhood


def router_view(
    x: Tensor, hop1: Neighborhood | None, columns: Tensor | None
) -> Tensor:
    r"""The features of each node; beside them the mean of its neighbours',
    zero for a node without any; beside these further columns.

    Args:
        x: Node features, of shape :math:`(N, D)`.
        hop1: The edges from the neighbours; :obj:`None` to leave these out.
        columns: The columns, of shape :math:`(N, C)`; :obj:`None` for none.

    Returns:
        Rows of shape :math:`(N, D + C)`, or :math:`(N, 2 D + C)` with
        neighbours.

    Raises:
        ValueError: If the columns have a wrong shape or type.
    """
    if hop1 is not None:
        x = with_columns(x, neighbor_mean(x, hop1))
    return with_columns(x, columns)


def neighbor_mean(x: Tensor, hop: Neighborhood) -> Tensor:
    """The mean of the rows of each node's neighbours, zero without any.

    Args:
        x: Rows of shape :math:`(N, D)`.
        hop: The edges.
    """
    adjacency, _ = adjacency_of(hop, 'source_to_target')
    degree = adjacency.ptr.diff().clamp(min=1).unsqueeze(1)
    return ops.neighbor_sum(x, adjacency) / degree.to(x.dtype)
