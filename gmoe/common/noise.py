"""The noise that tells copies of the same weights apart."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gmoe.common.arguments import check_number


def check_noise(noise: Any, name: str = 'noise') -> None:
    """Refuses what is no share of the weights' standard deviation.

    Args:
        noise: The share.
        name: How error messages call it.

    Raises:
        ValueError: If it is no number from 0 to 1.
    """
    check_number(**{name: noise})
    if noise > 1:
        raise ValueError(
            f"'{name}' must be a number from 0 to 1, as a share of the "
            f"weights' standard deviation, got {noise}"
        )


def disturbed(value: Tensor, noise: float) -> Tensor:
    """A copy of weights with normal noise; a single number has no standard
    deviation, and stays as it is.

    Args:
        value: The weights.
        noise: The standard deviation of the noise, over that of the weights.
    """
    if noise == 0 or value.numel() < 2:
        return value.clone()
    # In 16 bits, most of it would be rounded away.
    wide = value.to(torch.promote_types(value.dtype, torch.float32))
    return (wide + noise * wide.std() * torch.randn_like(wide)).to(value.dtype)
