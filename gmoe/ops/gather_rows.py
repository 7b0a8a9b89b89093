"""Rows of a matrix by index, taken and added."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gmoe.ops.backend import declare_op, use_native


def gather_rows(x: Tensor, index: Tensor) -> Tensor:
    r"""Takes rows of a matrix: ``x[index]``.

    On the CPU, the gradient of an index expanded over the channels is summed
    row by row in parallel and in a fixed order; those of ``x[index]`` and
    :meth:`torch.Tensor.index_select` are many times slower. On CUDA, they
    would differ from run to run; the fused op's does not.

    Args:
        x: Rows of shape :math:`(R, D)`.
        index: int64 of shape :math:`(S)`.

    Returns:
        Rows of shape :math:`(S, D)`.
    """
    if _on_cpu(x):
        return x.gather(0, index.unsqueeze(-1).expand(-1, x.size(1)))
    if use_native(x, index):
        return torch.ops.gmoe.gather_rows(x.contiguous(), index.contiguous())
    return x.index_select(0, index)


def add_rows(x: Tensor, index: Tensor, num_rows: int) -> Tensor:
    r"""Sums rows of a matrix: row :math:`r` of the result is the sum of those
    whose index is :math:`r`. That of the fused op has the same bits in every
    run.

    Args:
        x: Rows of shape :math:`(S, D)`.
        index: int64 of shape :math:`(S)`.
        num_rows: Number of rows of the result :math:`R`.

    Returns:
        Rows of shape :math:`(R, D)`.
    """
    if not _on_cpu(x) and use_native(x, index):
        return torch.ops.gmoe.add_rows(
            x.contiguous(), index.contiguous(), num_rows
        )
    out = x.new_zeros(num_rows, x.size(1))
    return out.scatter_add(0, index.unsqueeze(-1).expand_as(x), x)


def _on_cpu(x: Tensor) -> bool:
    return x.device.type == 'cpu'


def _fake(x: Tensor, index: Tensor) -> Tensor:
    return x.new_empty(index.size(0), x.size(1))


def _fake_add(x: Tensor, index: Tensor, num_rows: int) -> Tensor:
    return x.new_empty(num_rows, x.size(1))


def _setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
    x, index = inputs
    ctx.num_rows = x.size(0)
    ctx.save_for_backward(index)


def _backward(ctx: Any, grad: Tensor) -> tuple:
    (index,) = ctx.saved_tensors
    op = torch.ops.gmoe.add_rows
    return op(grad.contiguous(), index, ctx.num_rows), None


def _setup_context_add(ctx: Any, inputs: tuple, output: Tensor) -> None:
    ctx.save_for_backward(inputs[1])


def _backward_add(ctx: Any, grad: Tensor) -> tuple:
    (index,) = ctx.saved_tensors
    op = torch.ops.gmoe.gather_rows
    return op(grad.contiguous(), index), None, None


declare_op('gather_rows', _fake, _backward, _setup_context, keys=('CUDA',))
declare_op(
    'add_rows', _fake_add, _backward_add, _setup_context_add, keys=('CUDA',)
)
