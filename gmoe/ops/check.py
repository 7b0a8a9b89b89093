"""Checks the shapes and indices that the eager versions follow, and raises a
:obj:`ValueError` for wrong ones. The fused ops check their own; on CUDA and
while compiling, values are not looked at."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def sees_values(tensor: Tensor) -> bool:
    """Whether looking at the values of a tensor costs no wait for a GPU."""
    return (
        not torch.compiler.is_compiling()
        and type(tensor) is Tensor
        and tensor.device.type == 'cpu'
    )


def check_shape(
    name: str, tensor: Tensor, shape: Sequence[int | None]
) -> None:
    """Refuses a tensor of another shape.

    Args:
        name: How errors call it.
        tensor: The tensor.
        shape: The sizes; :obj:`None` is for any.
    """
    if torch.compiler.is_compiling():
        return
    if tensor.dim() != len(shape) or any(
        size not in (None, own) for size, own in zip(shape, tensor.shape)
    ):
        wanted = ['any' if size is None else size for size in shape]
        raise ValueError(
            f"'{name}' must have shape [{', '.join(map(str, wanted))}], got "
            f'{list(tensor.shape)}'
        )


def check_ids(name: str, ids: Tensor, count: int) -> None:
    """Refuses ids that are not from 0 to ``count - 1``.

    Args:
        name: How errors call them.
        ids: The ids, of any shape.
        count: How many there are to choose from.
    """
    if not sees_values(ids) or ids.numel() == 0:
        return
    low, high = (int(value) for value in ids.aminmax())
    if low < 0 or high >= count:
        raise ValueError(
            f"'{name}' must hold values from 0 to {count - 1}, got "
            f'{low if low < 0 else high}'
        )


def check_rising(name: str, values: Tensor) -> None:
    """Refuses values of which one is smaller than that before it.

    Args:
        name: How errors call them.
        values: The values, of shape :math:`(S)`.
    """
    if not sees_values(values):
        return
    falls = (values[1:] < values[:-1]).nonzero()
    if falls.numel() > 0:
        at = int(falls[0])
        raise ValueError(
            f"'{name}' must hold values that do not decrease, got "
            f'{int(values[at])} and then {int(values[at + 1])} at position '
            f'{at + 1}'
        )


def check_ptr(name: str, ptr: Tensor, size: int, rest: bool = False) -> None:
    """Refuses a pointer that does not cut some rows into parts: one that is
    empty, does not begin with 0 and end with their number, or decreases.

    Args:
        name: How errors call it.
        ptr: Where each part begins, and where the last one ends.
        size: The number of rows.
        rest: Whether there may be rows beyond the last part.
    """
    if ptr.dim() != 1 or ptr.numel() == 0:
        raise ValueError(
            f"'{name}' must have one dimension and at least one element, got "
            f'shape {list(ptr.shape)}'
        )
    if not sees_values(ptr):
        return
    first, last = int(ptr[0]), int(ptr[-1])
    if first != 0 or last > size or (last < size and not rest):
        raise ValueError(
            f"'{name}' must begin with 0 and end with "
            f'{"at most " if rest else ""}{size}, got {first} and {last}'
        )
    check_rising(name, ptr)
