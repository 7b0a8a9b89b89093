"""Checks of the arguments that the networks have in common."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral, Real

import torch
from torch import Tensor, nn

from gmoe.ops.check import check_ids, check_shape


def check_choice(name: str, value: str, choices: Iterable[str]) -> None:
    """Refuses a value that is not among the choices.

    Args:
        name: The name of the argument.
        value: Its value.
        choices: What is accepted.

    Raises:
        ValueError: If it is not among them.
    """
    accepted = list(choices)
    if value not in accepted:
        raise ValueError(f"'{name}' must be one of {accepted}, got {value!r}")


def check_at_least(low: int, **sizes: int) -> None:
    """Refuses sizes that are too small, or no integers.

    Args:
        low: The least that is accepted.
        **sizes: The arguments.

    Raises:
        ValueError: If one is below.
    """
    for name, size in sizes.items():
        if not isinstance(size, Integral):
            raise ValueError(f"'{name}' must be an integer, got {size!r}")
        if size < low:
            raise ValueError(f"'{name}' must be at least {low}, got {size}")


def check_dropout(**shares: float) -> None:
    """Refuses shares that are not in :math:`[0, 1)`.

    Args:
        **shares: The arguments.

    Raises:
        ValueError: If one is not.
    """
    for name, share in shares.items():
        if not isinstance(share, Real) or not 0 <= share < 1:
            raise ValueError(f"'{name}' must be in [0, 1), got {share!r}")


def check_dtype(x: Tensor, module: nn.Module) -> None:
    """Refuses node features of another type than a module's parameters.

    Autocast is what brings several types together.

    Args:
        x: The features.
        module: The module.

    Raises:
        ValueError: If the type is another one.
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


def check_batch(batch: Tensor, num_nodes: int, batch_size: int) -> None:
    """Refuses graphs of nodes that are not one for each node.

    Args:
        batch: The graph of each node.
        num_nodes: The number of nodes.
        batch_size: The number of graphs.

    Raises:
        ValueError: If a shape, a type or the number of a graph is wrong. The
            numbers are looked at on the CPU only.
    """
    check_shape('batch', batch, [num_nodes])
    if batch.dtype != torch.long:
        raise ValueError(
            f"'batch' must have the type torch.int64, got {batch.dtype}"
        )
    check_ids('batch', batch, batch_size)
