"""One linear map per group of rows."""

from __future__ import annotations

import torch
from torch import Tensor


def grouped_linear(
    x: Tensor, weight: Tensor, bias: Tensor | None, ptr: Tensor
) -> Tensor:
    r"""Multiplies each group of rows with its own weight:
    ``out[ptr[g]:ptr[g + 1]] = x[ptr[g]:ptr[g + 1]] @ weight[g] + bias[g]``.

    Args:
        x: Rows of shape :math:`(R, D_{in})`, ordered by group.
        weight: Weights of shape :math:`(G, D_{in}, D_{out})`.
        bias: Biases of shape :math:`(G, D_{out})`, or :obj:`None`.
        ptr: Group pointer, int64 of shape :math:`(G + 1)`.

    Returns:
        Rows of shape :math:`(R, D_{out})`.
    """
    bounds = ptr.tolist()
    # Empty groups are kept: they give their parameters a zero gradient, so
    # that no process waits for it in distributed training.
    groups = [
        x[first:last] @ weight[group]
        if bias is None
        else torch.addmm(bias[group], x[first:last], weight[group])
        for group, (first, last) in enumerate(zip(bounds, bounds[1:]))
    ]
    return (
        torch.cat(groups) if groups else x @ weight.new_zeros(weight.shape[1:])
    )
