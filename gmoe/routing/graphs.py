"""The graph of each node, as routers need it."""

from __future__ import annotations

import torch
from torch import Tensor

from gmoe.ops.check import check_shape, sees_values


def check_batch(batch: Tensor | None, x: Tensor) -> Tensor:
    """The graph of each node, made where it is not given.

    Args:
        batch: The graph of each node, int64 of shape :math:`(N)`. (default:
            one graph)
        x: The features of the nodes.

    Raises:
        ValueError: If the shape or the type is wrong, or a number is negative
            (looked at on the CPU only).
    """
    if batch is None:
        return x.new_zeros(x.size(0), dtype=torch.long)
    check_shape('batch', batch, [x.size(0)])
    if batch.dtype != torch.long:
        raise ValueError(f"'batch' must be an int64 tensor, got {batch.dtype}")
    if sees_values(batch) and batch.numel() > 0 and int(batch.min()) < 0:
        raise ValueError(
            f"'batch' must hold numbers from 0 on, got {int(batch.min())}"
        )
    return batch


def mean_of(x: Tensor, batch: Tensor) -> Tensor:
    """The mean features of each graph, of shape :math:`(B, D)`.

    Args:
        x: Features of the nodes, of shape :math:`(N, D)`.
        batch: The graph of each node, int64 of shape :math:`(N)`.
    """
    num_graphs = int(batch.max()) + 1 if batch.numel() > 0 else 0
    total = x.new_zeros(num_graphs, x.size(1)).index_add(0, batch, x)
    size = x.new_zeros(num_graphs).index_add(
        0, batch, torch.ones_like(x[:, 0])
    )
    return total / size.clamp(min=1).unsqueeze(1)
