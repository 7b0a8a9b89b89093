"""The scale of the targets of a regression."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class TargetScale(nn.Module):
    """The mean and the standard deviation of each target in training.

    A network learns targets on a common scale, and its outputs are brought
    back to the targets' own. The statistics are buffers, so that a
    checkpoint has them.

    Args:
        num_targets: The number of targets :math:`T`.

    Shapes:
        - **input:** values :math:`(B, T)`
        - **output:** values :math:`(B, T)`
    """

    mean: Tensor
    std: Tensor

    def __init__(self, num_targets: int) -> None:
        super().__init__()
        #: Whether there are statistics of training graphs.
        self.is_fitted = False
        self.register_buffer('mean', torch.zeros(num_targets))
        self.register_buffer('std', torch.ones(num_targets))

    def fit(self, targets: Tensor) -> None:
        """Takes the statistics of the training graphs. A target that is
        constant, or has no labels, keeps its spread.

        Args:
            targets: Their targets, of shape ``[num_graphs, num_targets]``,
                NaN where there is none.
        """
        y = targets.detach().double().cpu().view(-1, self.mean.numel())
        mean = y.nanmean(dim=0)
        std = (y - mean).square().nanmean(dim=0).sqrt()
        # Rounding alone is no difference.
        is_known = std > 1e-6 * mean.abs()
        self.mean.copy_(mean.nan_to_num(0.0))
        self.std.copy_(torch.where(is_known, std, 1.0))
        self.is_fitted = True

    def to_standard(self, y: Tensor) -> Tensor:
        """Targets on the common scale.

        Args:
            y: Targets in their own units.
        """
        return (y - self.mean) / self.std

    def to_units(self, out: Tensor) -> Tensor:
        """Values in the targets' own units.

        Args:
            out: Values on the common scale.
        """
        return out * self.std + self.mean

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self.is_fitted = True
