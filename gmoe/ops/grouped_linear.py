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
    # split and unbind have one gradient each; slices would have one of full
    # size per group. Empty groups are kept: they give their parameters a zero
    # gradient, so that no process waits for it in distributed training.
    if weight.size(0) == 0:
        return x.new_zeros(0, weight.size(2))
    groups = x.split(ptr.diff().tolist())
    weights = weight.unbind()
    if bias is None:
        return torch.cat([x @ w for x, w in zip(groups, weights)])
    return torch.cat(
        [
            torch.addmm(b, x, w)
            for x, w, b in zip(groups, weights, bias.unbind())
        ]
    )
