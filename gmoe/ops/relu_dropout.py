"""ReLU and dropout in one pass."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from gmoe.ops.autograd import fake_like
from gmoe.ops.backend import declare_op, use_native


def relu_dropout(
    x: Tensor, p: float, training: bool = True, relu: bool = True
) -> Tensor:
    r"""ReLU, then dropout: in training, each element is zero with probability
    :math:`p` and else multiplied by :math:`1 / (1 - p)`.

    One seed is drawn from the generator of the device of :obj:`x`; the
    element's random word is a function of it and of the element's position
    (Philox4x32-10), so that no mask is kept, and the same seed gives the same
    mask for every number of threads and on every device. The mask differs from
    :func:`torch.nn.functional.dropout`'s.

    Args:
        x: Any tensor.
        p: The probability that an element is dropped, in :math:`[0, 1]`.
        training: Whether anything is dropped.
        relu: Whether the ReLU is applied.

    Returns:
        A tensor of the shape of :obj:`x`.

    Raises:
        ValueError: If :obj:`p` is no probability.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"'p' must be from 0 to 1, got {p}")
    if not training:
        p = 0.0
    if p == 0.0 and not relu:
        return x
    if not use_native(x) or p == 1.0 or p == 0.0:
        x = x.relu() if relu else x
        return functional.dropout(x, p, training)
    seed = torch.randint(2**62, (1,), device=x.device)
    return torch.ops.gmoe.relu_dropout(x.contiguous(), seed, p, relu)


def _setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
    _, seed, p, relu = inputs
    ctx.constants = (p, relu)
    # The next layer keeps the output too; without the ReLU it is not needed.
    ctx.save_for_backward(output if relu else seed, seed)


def _backward(ctx: Any, grad: Tensor) -> tuple:
    grad_x = torch.ops.gmoe.relu_dropout_backward(
        grad.contiguous(), *ctx.saved_tensors, *ctx.constants
    )
    return grad_x, None, None, None


declare_op('relu_dropout', fake_like(0), _backward, _setup_context)
declare_op('relu_dropout_backward', fake_like(0))
