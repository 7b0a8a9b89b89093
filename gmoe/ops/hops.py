"""Hops as an op takes them: one list of tensors, and one of sizes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gmoe.ops.message import MessageHop

# Of a hop: the number of experts and of tables, and whether there are weights
# of edges and of roots.
_SIZES = 4


def pack_hops(
    hops: Sequence[MessageHop], dtype: torch.dtype
) -> tuple[list[Tensor], list[int]]:
    """The tensors of all hops, and four sizes of each hop that tell which
    they are.

    Args:
        hops: The hops.
        dtype: The type of the tables.
    """
    sums = torch.promote_types(dtype, torch.float32)
    tensors: list[Tensor] = []
    sizes: list[int] = []
    for hop in hops:
        weights = [
            None if weight is None else weight.to(sums)
            for weight in (hop.edge_weight, hop.root_weight)
        ]
        tables = [table.to(dtype) for table in hop.tables]
        tensors += [hop.ptr, hop.source, *tables, *hop.codes]
        tensors += [weight for weight in weights if weight is not None]
        sizes += [hop.num_experts, len(tables)]
        sizes += [int(weight is not None) for weight in weights]
    return [tensor.contiguous() for tensor in tensors], sizes


def packed_names(sizes: Sequence[int]) -> list[str]:
    """The names that the packed tensors have in :class:`~gmoe.ops.MessageHop`.

    Args:
        sizes: The sizes that go with the tensors.
    """
    names = []
    for at in range(0, len(sizes), _SIZES):
        _, num_tables, edge, root = sizes[at : at + _SIZES]
        names += ['ptr', 'source']
        names += ['tables'] * num_tables + ['codes'] * num_tables
        names += ['edge_weight'] * edge + ['root_weight'] * root
    return names


def packed_grads(
    sizes: Sequence[int], **grads: Sequence[Tensor]
) -> list[Tensor | None]:
    """The gradient of each of the packed tensors, where it has one.

    Args:
        sizes: The sizes that go with the tensors.
        **grads: By name, the gradients of all tensors of that name in their
            order.
    """
    left = {name: iter(values) for name, values in grads.items()}
    return [
        next(left[name]) if name in left else None
        for name in packed_names(sizes)
    ]
