"""The input of routed message passing, and its eager version."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor
from torch_geometric.utils import scatter

from gmoe.ops.check import check_ids, check_ptr, check_rising, check_shape


class MessageHop(NamedTuple):
    r"""The edges that some of the experts look at, ordered by target.

    Args:
        num_experts: How many experts look at them: the first of all, then the
            next hop's, and so on.
        ptr: The edges of node :math:`i` are ``ptr[i]:ptr[i + 1]``, int64 of
            shape :math:`(N + 1)`.
        source: Source of each edge, int64 of shape :math:`(E)`.
        tables: Edge terms by code, at most two, each of shape
            :math:`(n_h, C, D)`, or :math:`(1, C, D)` if the experts share
            them.
        codes: The code of each edge in each table, int64 of shape
            :math:`(E)`.
        edge_weight: Weight of each edge, of shape :math:`(E)`.
        root_weight: Weight of each node's root term, of shape :math:`(N)`.
    """

    num_experts: int
    ptr: Tensor
    source: Tensor
    tables: Sequence[Tensor] = ()
    codes: Sequence[Tensor] = ()
    edge_weight: Tensor | None = None
    root_weight: Tensor | None = None


def check_slots(
    node: Tensor, expert: Tensor, hops: Sequence[MessageHop], num_nodes: int
) -> None:
    """Refuses slots or edges that name what there is not, or are of another
    shape, with a :obj:`ValueError`.

    Args:
        node: The node of each slot, of shape :math:`(S)`.
        expert: The expert of each slot, of shape :math:`(S)`.
        hops: The edges that the experts look at.
        num_nodes: Number of nodes :math:`N`.
    """
    check_shape('node', node, [None])
    check_shape('expert', expert, node.shape)
    check_ids('node', node, num_nodes)
    check_ids('expert', expert, sum(hop.num_experts for hop in hops))
    for hop in hops:
        edges = hop.source.shape
        check_shape('source', hop.source, [None])
        check_shape('ptr', hop.ptr, [num_nodes + 1])
        check_ptr('ptr', hop.ptr, hop.source.size(0))
        check_ids('source', hop.source, num_nodes)
        for table, code in zip(hop.tables, hop.codes):
            check_shape('codes', code, edges)
            check_ids('codes', code, table.size(1))
            if table.size(0) not in (1, hop.num_experts):
                raise ValueError(
                    f"'tables' must have rows for 1 or {hop.num_experts} "
                    f'experts, got shape {list(table.shape)}'
                )
        for name in ('edge_weight', 'root_weight'):
            weight = getattr(hop, name)
            if weight is not None:
                size = edges if name == 'edge_weight' else [num_nodes]
                check_shape(name, weight, size)


def _hop_slots(
    expert: Tensor, hops: Sequence[MessageHop]
) -> list[tuple[int, int, int]]:
    """The first expert of each hop, and where its slots begin and end."""
    bounds = [0, *accumulate(hop.num_experts for hop in hops)]
    at = torch.tensor(bounds, device=expert.device, dtype=expert.dtype)
    slots = torch.searchsorted(expert.contiguous(), at).tolist()
    return list(zip(bounds, slots, slots[1:]))


def eager_message(
    x: Tensor,
    node: Tensor,
    expert: Tensor,
    hops: Sequence[MessageHop],
    row_of: Tensor | None,
    interleaved: bool,
    root: Tensor | None,
    self_scale: Tensor | None,
) -> Tensor:
    """:func:`gmoe.ops.routed_message` on one tensor of all messages."""
    num_experts = sum(hop.num_experts for hop in hops)
    num_nodes = hops[0].ptr.numel() - 1
    check_slots(node, expert, hops, num_nodes)
    check_rising('expert', expert)
    if row_of is not None:
        check_shape('row_of', row_of, [num_experts, num_nodes])
    else:
        rows = num_nodes * num_experts if interleaved else num_nodes
        check_shape('x', x, [rows, None])

    def row(expert: Tensor, node: Tensor) -> Tensor:
        if row_of is not None:
            return row_of[expert, node]
        return node * num_experts + expert if interleaved else node

    outs = []
    for hop, (first, begin, end) in zip(hops, _hop_slots(expert, hops)):
        part = slice(begin, end)
        slot, edge = _expand(node[part], hop.ptr)
        used = expert[part][slot]
        message = x.index_select(0, row(used, hop.source[edge]))
        for table, code in zip(hop.tables, hop.codes):
            index = code[edge]
            if table.size(0) > 1:
                index = index + (used - first) * table.size(1)
            message = message + table.flatten(0, 1).index_select(0, index)
        message = message.relu()
        if hop.edge_weight is not None:
            weight = hop.edge_weight[edge].unsqueeze(-1)
            message = message * weight.to(message.dtype)
        outs.append(
            scatter(message, slot, dim=0, dim_size=end - begin, reduce='sum')
        )
        if root is not None and hop.root_weight is not None:
            own = x.index_select(0, row(expert[part], node[part]))
            own = (own + root.index_select(0, expert[part])).relu()
            weight = hop.root_weight[node[part]].unsqueeze(-1)
            outs[-1] = outs[-1] + own * weight.to(own.dtype)
    out = torch.cat(outs)
    if self_scale is not None:
        own = x.index_select(0, node)
        out = out + own * self_scale.index_select(0, expert).unsqueeze(-1)
    return out


def _expand(node: Tensor, ptr: Tensor) -> tuple[Tensor, Tensor]:
    # The (slot, edge) pairs, ordered by slot.
    degree = ptr.diff()[node]
    slot = torch.repeat_interleave(degree)
    start = ptr[node] - (degree.cumsum(0) - degree)
    return slot, torch.arange(slot.numel(), device=slot.device) + start[slot]
