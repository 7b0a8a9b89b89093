"""The weighted sum of the experts' outputs at each node."""

from __future__ import annotations

from torch import Tensor

from gmoe.ops.check import check_ids, check_shape
from gmoe.ops.gather_rows import gather_rows
from gmoe.ops.group_by_expert import inverse_permutation


def combine(
    h: Tensor,
    weight: Tensor,
    node: Tensor,
    order: Tensor | None,
    num_nodes: int,
    slots_per_node: int | None = None,
) -> Tensor:
    r"""Sums the outputs of each node's experts with their weights,
    :math:`\sum_o G_{io} \mathbf{h}_{io}`.

    Args:
        h: The output of each slot, slots ordered by expert, of shape
            :math:`(S, D)`.
        weight: The weight of each slot, of shape :math:`(S)`.
        node: The node of each slot, int64 of shape :math:`(S)`.
        order: The slot's position in the ordering by node, int64 of shape
            :math:`(S)`; needed where :obj:`slots_per_node` is given.
        num_nodes: Number of nodes :math:`N`.
        slots_per_node: The number of slots of every node where it is fixed.

    Returns:
        Node features of shape :math:`(N, D)`, in the type of :obj:`h`.

    Raises:
        ValueError: If a shape, a node or a position is wrong.
    """
    check_shape('h', h, [None, None])
    check_shape('weight', weight, h.shape[:1])
    check_shape('node', node, h.shape[:1])
    weighted = h * weight.unsqueeze(-1)
    if order is None or slots_per_node is None:
        check_ids('node', node, num_nodes)
        out = weighted.new_zeros(num_nodes, h.size(1))
        out = out.index_add(0, node, weighted)
    else:
        # A gather in place of a scatter: the same bits on every device.
        check_shape('order', order, h.shape[:1])
        check_ids('order', order, order.numel())
        out = gather_rows(weighted, inverse_permutation(order))
        out = out.view(num_nodes, slots_per_node, h.size(1)).sum(dim=1)
    return out.to(h.dtype)
