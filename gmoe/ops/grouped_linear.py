"""One linear map per group of rows."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from gmoe.ops.backend import declare_op, use_native
from gmoe.ops.check import check_ptr, check_shape


def grouped_linear(
    x: Tensor, weight: Tensor, bias: Tensor | None, ptr: Tensor
) -> Tensor:
    r"""Multiplies each group of rows with its own weight:
    ``out[ptr[g]:ptr[g + 1]] = x[ptr[g]:ptr[g + 1]] @ weight[g] + bias[g]``.
    Rows beyond ``ptr[-1]`` are not looked at; their output and their gradient
    are zero.

    Args:
        x: Rows of shape :math:`(R, D_{in})`, ordered by group.
        weight: Weights of shape :math:`(G, D_{in}, D_{out})`.
        bias: Biases of shape :math:`(G, D_{out})`, or :obj:`None`.
        ptr: Group pointer, int64 of shape :math:`(G + 1)`.

    Returns:
        Rows of shape :math:`(R, D_{out})`.

    Raises:
        ValueError: If a shape or the pointer is wrong; the fused op raises
            :obj:`RuntimeError`.
    """
    if not use_native(x, weight, bias, ptr):
        return _eager(x, weight, bias, ptr)
    if torch.is_autocast_enabled(x.device.type):
        dtype = torch.get_autocast_dtype(x.device.type)
        x, weight = x.to(dtype), weight.to(dtype)
        bias = None if bias is None else bias.to(dtype)
    x, ptr = x.contiguous(), ptr.contiguous()
    if _library_serves(x, weight):
        return _with_library(x, weight, bias, ptr)
    if bias is not None:
        bias = bias.contiguous()
    return torch.ops.gmoe.grouped_linear(x, weight, bias, ptr)


def group_of(ptr: Tensor, num_rows: int) -> Tensor:
    r"""The group of each row.

    Args:
        ptr: Group pointer, int64 of shape :math:`(G + 1)`, with
            ``ptr[-1] == num_rows``.
        num_rows: Number of rows :math:`R`.

    Returns:
        Groups of shape :math:`(R)`, in the type of :obj:`ptr`.
    """
    return torch.repeat_interleave(ptr.diff(), output_size=num_rows)


def _eager(
    x: Tensor, weight: Tensor, bias: Tensor | None, ptr: Tensor
) -> Tensor:
    check_shape('x', x, [None, None])
    check_shape('weight', weight, [None, x.size(1), None])
    check_shape('ptr', ptr, [weight.size(0) + 1])
    check_ptr('ptr', ptr, x.size(0), rest=True)
    if bias is not None:
        check_shape('bias', bias, [weight.size(0), weight.size(2)])
    # split and unbind have one gradient each; slices would have one of full
    # size per group. Empty groups are kept: they give their parameters a zero
    # gradient, so that no process waits for it in distributed training.
    sizes = ptr.diff().tolist()
    unused = x.size(0) - sum(sizes)
    groups = x.split([*sizes, unused])[: len(sizes)]
    weights = weight.unbind()
    if bias is None:
        outs = [x @ w for x, w in zip(groups, weights)]
    else:
        outs = [
            torch.addmm(b, x, w)
            for x, w, b in zip(groups, weights, bias.unbind())
        ]
    rest = (outs[0] if outs else x).new_zeros(unused, weight.size(2))
    return torch.cat([*outs, rest])


def _library_serves(x: Tensor, weight: Tensor) -> bool:
    # PyTorch's own grouped product, where it does not wait for the device. It
    # wants rows at multiples of 16 bytes.
    return (
        x.device.type == 'cuda'
        and x.dtype == weight.dtype == torch.bfloat16
        and x.size(1) % 8 == 0
        and weight.size(2) % 8 == 0
        and hasattr(functional, 'grouped_mm')
        and torch.cuda.get_device_capability(x.device) >= (9, 0)
    )


def _with_library(
    x: Tensor, weight: Tensor, bias: Tensor | None, ptr: Tensor
) -> Tensor:
    # The library leaves what is beyond the last group undefined, in the
    # gradient of x too.
    rows = torch.arange(x.size(0), device=x.device)
    used = (rows < ptr[-1]).unsqueeze(-1)
    out = functional.grouped_mm(
        torch.where(used, x, 0),
        weight.contiguous(),
        offs=ptr[1:].to(torch.int32),
    )
    out = torch.where(used, out, 0)
    if bias is not None:
        # As a product, so that its gradient has the same bits in every run.
        ones = x.new_ones(x.size(0), 1)
        bias = bias.contiguous().unsqueeze(1)
        out = out + torch.ops.gmoe.grouped_linear(ones, bias, None, ptr)
    return out


def _fake(
    x: Tensor, weight: Tensor, bias: Tensor | None, ptr: Tensor
) -> Tensor:
    return x.new_empty(x.size(0), weight.size(2))


def _fake_outer(x: Tensor, y: Tensor, ptr: Tensor) -> Tensor:
    return x.new_empty(ptr.size(0) - 1, x.size(1), y.size(1))


def _setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
    x, weight, _, ptr = inputs
    ctx.save_for_backward(x, weight, ptr)


def _backward(ctx: Any, grad: Tensor) -> tuple:
    x, weight, ptr = ctx.saved_tensors
    op = torch.ops.gmoe
    grad = grad.contiguous()
    needs_x, needs_weight, needs_bias, _ = ctx.needs_input_grad
    grad_x = grad_weight = grad_bias = None
    if needs_x:
        grad_x = op.grouped_linear(grad, weight.transpose(1, 2), None, ptr)
    if needs_weight:
        grad_weight = op.grouped_outer(x, grad, ptr)
    if needs_bias:
        ones = grad.new_ones(grad.size(0), 1)
        grad_bias = op.grouped_outer(ones, grad, ptr).squeeze(1)
    return grad_x, grad_weight, grad_bias, None


def _setup_context_outer(ctx: Any, inputs: tuple, output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _backward_outer(ctx: Any, grad: Tensor) -> tuple:
    x, y, ptr = ctx.saved_tensors
    op = torch.ops.gmoe
    grad_x = op.grouped_linear(y, grad.transpose(1, 2), None, ptr)
    return grad_x, op.grouped_linear(x, grad, None, ptr), None


declare_op('grouped_linear', _fake, _backward, _setup_context)
declare_op('grouped_outer', _fake_outer, _backward_outer, _setup_context_outer)
