"""Normalisations that turn scores into weights: the third stage."""

from collections.abc import Callable

import torch
from entmax import entmax15, sparsemax
from torch import Tensor


def _softmax(score: Tensor) -> Tensor:
    return torch.softmax(score, dim=-1)


def _sparse(function: Callable[..., Tensor]) -> Callable[[Tensor], Tensor]:
    def normalize(score: Tensor) -> Tensor:
        # entmax reduces with max and gather, which an empty batch has none of.
        return function(score, dim=-1) if score.numel() > 0 else score

    return normalize


#: Maps of scores :math:`(N, n)` to non-negative weights whose rows sum to 1.
#: ``sparsemax`` (`Martins and Astudillo 2016
#: <https://arxiv.org/abs/1602.02068>`_) and ``entmax15`` (`Peters et al. 2019
#: <https://arxiv.org/abs/1905.05702>`_) give exact zeros.
NORMALIZATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    'softmax': _softmax,
    'sparsemax': _sparse(sparsemax),
    'entmax15': _sparse(entmax15),
}
