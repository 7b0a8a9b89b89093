"""One linear map, by the library that suits the processor."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from gmoe.ops.backend import declare_op, use_native


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    r"""Computes the same as :func:`torch.nn.functional.linear`. PyTorch takes
    float32 matrix products on x86 from MKL, which uses its AVX-512 kernels on
    Intel's processors only; on others that have AVX-512, this uses oneDNN.

    Args:
        x: Rows of shape :math:`(R, D_{in})`.
        weight: The weight of shape :math:`(D_{out}, D_{in})`.
        bias: The bias of shape :math:`(D_{out})`, or :obj:`None`.

    Returns:
        Rows of shape :math:`(R, D_{out})`.
    """
    if not _onednn_serves(x, weight, bias):
        return functional.linear(x, weight, bias)
    return torch.ops.gmoe.grouped_linear(
        x.contiguous(),
        weight.t().unsqueeze(0),
        None if bias is None else bias.unsqueeze(0),
        torch.tensor([0, x.size(0)]),
    )


def _onednn_serves(x: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    # Compiled code is better left with an operator that the compiler knows.
    return (
        not torch.compiler.is_compiling()
        and use_native(x, weight, bias, cuda=False)
        and x.dim() == 2
        and x.dtype == weight.dtype == torch.float32
        and not torch.is_autocast_enabled('cpu')
        and torch.ops.gmoe.prefers_onednn(x)
    )


declare_op('prefers_onednn', lambda x: False, keys=('CPU',))
