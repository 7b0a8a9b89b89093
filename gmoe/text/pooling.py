"""One vector per text."""

from __future__ import annotations

import torch
from torch import Tensor

from gmoe.common.arguments import check_choice

#: How the vectors of a text's tokens become one.
POOLINGS = ('cls', 'mean', 'max')


def pool(hidden: Tensor, mask: Tensor | None, how: str = 'mean') -> Tensor:
    """Pools the tokens of each text; tokens that are padding do not count,
    on whichever side they stand. The mean and the maximum of a text without
    tokens is zero.

    Args:
        hidden: The tokens' vectors, of shape :math:`(B, T, D)`.
        mask: Zero where a token is padding, of shape :math:`(B, T)`;
            :obj:`None` where none is.
        how: :obj:`"cls"` (the first token that is no padding),
            :obj:`"mean"` or :obj:`"max"`.

    Returns:
        Vectors of shape :math:`(B, D)`.

    Raises:
        ValueError: If the pooling is unknown.
    """
    check_choice('how', how, POOLINGS)
    if how == 'cls':
        if mask is None:
            return hidden[:, 0]
        first = mask.bool().int().argmax(dim=1)
        return hidden[torch.arange(len(hidden), device=hidden.device), first]
    if mask is None:
        return hidden.mean(dim=1) if how == 'mean' else hidden.amax(dim=1)
    keep = mask.unsqueeze(-1).bool()
    if how == 'max':
        lowest = torch.finfo(hidden.dtype).min
        most = hidden.masked_fill(~keep, lowest).amax(dim=1)
        return most.masked_fill(~keep.any(dim=1), 0)
    total = hidden.masked_fill(~keep, 0).sum(dim=1)
    return total / keep.sum(dim=1).clamp(min=1)
