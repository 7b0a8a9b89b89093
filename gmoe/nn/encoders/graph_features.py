"""Features of whole graphs, such as descriptors of molecules, made equal."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from gmoe.common.shown import shown

#: Standard deviations beyond which a feature is cut.
CLIP = 5.0
#: Features whose statistics are taken together.
_PART = 64


class GraphFeatures(nn.Module):
    r"""Brings raw features of graphs to one scale.

    Descriptors of molecules range from shares to numbers of 30 digits, and
    have tails of any length. Each feature is therefore bent first,

    .. math::
        z = \operatorname{asinh} \frac{x - \operatorname{median}}{s}

    with the distance :math:`s` of its quartiles (the standard deviation,
    where that is zero): the value itself near the median, its logarithm far
    from it. Then :math:`z` is standardised and cut at five standard
    deviations. What is not defined gets the mean, and what was constant in
    training is zero.

    All statistics are those of the training graphs, see :meth:`fit`, and
    buffers, so that a checkpoint has them.

    Args:
        channels: The number of features :math:`F`.

    Shapes:
        - **input:** raw features :math:`(B, F)`
        - **output:** the same number of features, of type float32 at least
    """

    median: Tensor
    spread: Tensor
    mean: Tensor
    gain: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        #: Whether there are statistics of training graphs.
        self.is_fitted = False
        for name in ('median', 'mean'):
            self.register_buffer(name, torch.zeros(channels))
        for name in ('spread', 'gain'):
            self.register_buffer(name, torch.ones(channels))

    def fit(self, values: Tensor) -> None:
        """Takes the statistics of the training graphs.

        Args:
            values: Their raw features, of shape ``[num_graphs, channels]``.

        Raises:
            ValueError: If the shape is another one.
        """
        self._check(values, 'values')
        # By parts: of many features of many graphs there is no second copy.
        parts = values.detach().cpu().split(_PART, dim=1)
        for part, first in zip(parts, range(0, self.channels, _PART)):
            self._fit(part, slice(first, first + _PART))
        self.is_fitted = True

    def reset_parameters(self) -> None:
        """Forgets the statistics."""
        self.median.zero_()
        self.mean.zero_()
        self.spread.fill_(1.0)
        self.gain.fill_(1.0)
        self.is_fitted = False

    def _fit(self, values: Tensor, columns: slice) -> None:
        x = values.double()
        x = torch.where(x.isfinite(), x, torch.nan)
        shares = x.new_tensor([0.25, 0.5, 0.75])
        low, median, high = x.nanquantile(shares, dim=0)
        spread = high - low
        spread = torch.where(spread > 0, spread, _deviation(x))
        spread = torch.where(spread > 0, spread, 1.0)
        median = median.nan_to_num(0.0)
        z = ((x - median) / spread).asinh()
        deviation = _deviation(z)
        # Rounding alone is no difference.
        gain = torch.where(deviation > 1e-6, 1 / deviation, 0.0)
        self.median[columns] = median.to(self.median)
        self.spread[columns] = spread.to(self.spread)
        self.mean[columns] = z.nanmean(dim=0).nan_to_num(0.0).to(self.mean)
        self.gain[columns] = gain.to(self.gain)

    def forward(self, graph_attr: Tensor) -> Tensor:
        """Brings features to one scale."""
        self._check(graph_attr, 'graph_attr')
        z = (self._bend(graph_attr) - self.mean) * self.gain
        z = z.nan_to_num(0.0, CLIP, -CLIP)
        return z.clamp(-CLIP, CLIP)

    def _bend(self, x: Tensor) -> Tensor:
        x = x.to(torch.promote_types(x.dtype, self.median.dtype))
        return ((x - self.median) / self.spread).asinh()

    def _check(self, values: Tensor, name: str) -> None:
        if (
            not isinstance(values, Tensor)
            or not values.is_floating_point()
            or values.dim() != 2
            or values.size(1) != self.channels
        ):
            found = (
                f'{values.dtype} of shape {tuple(values.shape)}'
                if isinstance(values, Tensor)
                else shown(values)
            )
            raise ValueError(
                f"'{name}' must be floating-point features of shape (B, "
                f'{self.channels}), got {found}'
            )

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        state, prefix = args[:2]
        # A part of another network's weights may have none.
        self.is_fitted = self.is_fitted or f'{prefix}median' in state

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.channels})'


def _deviation(x: Tensor) -> Tensor:
    mean = x.nanmean(dim=0)
    # Values of up to 1e308 have no squares: first their largest distance.
    distance = (x - mean).abs()
    largest = distance.nan_to_num(0.0).amax(dim=0).clamp(min=1e-300)
    return largest * (distance / largest).square().nanmean(dim=0).sqrt()
