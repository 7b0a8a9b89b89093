"""Checks of the arguments that layers and networks have in common: each
raises a :obj:`ValueError` for what it refuses."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gmoe.common.arguments import check_integer
from gmoe.nn.edge_check import check_type
from gmoe.ops.check import check_ids, check_shape


def count_1hop(num_experts: int, num_experts_1hop: int | None) -> int:
    """The number of hop-1 experts, if there are so many.

    Args:
        num_experts: The number of experts.
        num_experts_1hop: How many of them look at hop-1 edges; :obj:`None`
            for all.
    """
    check_integer(1, num_experts=num_experts)
    if num_experts_1hop is None:
        return num_experts
    if not 0 <= num_experts_1hop <= num_experts:
        raise ValueError(
            "'num_experts_1hop' must be an integer from 0 to "
            f'num_experts={num_experts}, got {num_experts_1hop}'
        )
    return num_experts_1hop


def check_dtype(x: Tensor, module: nn.Module) -> None:
    """Refuses node features of another type than a module's parameters.
    Autocast is what brings several types together.
    """
    wanted = next(module.parameters(), x).dtype
    if x.dtype != wanted and not (
        torch.compiler.is_compiling()
        or torch.is_autocast_enabled(x.device.type)
    ):
        raise ValueError(
            f"'x' must have the type {wanted} of the layer's parameters, got "
            f'{x.dtype}'
        )


def check_nodes(x: object, where: str = '') -> Tensor:
    """The features of nodes, if they are a matrix.

    Args:
        x: The features.
        where: Words that error messages put after the shape.
    """
    if isinstance(x, Tensor) and x.dim() == 2:
        return x
    got = list(x.shape) if isinstance(x, Tensor) else type(x).__name__
    raise ValueError(
        f"'x' must be a tensor of shape [num_nodes, num_features]{where}, got "
        f'{got}; make a graph of several kinds of nodes one of one kind first '
        '(to_homogeneous())'
    )


def with_columns(x: Tensor, more: Tensor | None) -> Tensor:
    """Node features with further columns for a router beside them.

    Args:
        x: The features, of shape :math:`(N, D)`.
        more: The columns, of shape :math:`(N, C)`; :obj:`None` for none.
    """
    if more is None:
        return x
    check_shape('router_input', more, [x.size(0), None])
    if not more.is_floating_point():
        raise ValueError(
            f"'router_input' must be a floating-point tensor, got {more.dtype}"
        )
    return torch.cat([x, more.to(x.dtype)], dim=1)


def check_batch(
    batch: Tensor | None, x: Tensor, batch_size: int | None
) -> tuple[Tensor, int]:
    """The graph of each node and the number of graphs, made where they are
    not given. The numbers of the graphs are checked on the CPU only.

    Args:
        batch: The graph of each node, int64 of shape :math:`(N)`.
            (default: one graph)
        x: The features of the nodes.
        batch_size: The number of graphs. (default: read from :obj:`batch`)
    """
    if batch is None:
        return x.new_zeros(x.size(0), dtype=torch.long), 1
    check_shape('batch', batch, [x.size(0)])
    check_type('batch', batch)
    if batch_size is None:
        batch_size = int(batch.max()) + 1 if batch.numel() > 0 else 0
    check_ids('batch', batch, batch_size)
    return batch, batch_size
