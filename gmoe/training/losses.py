"""The loss of each label."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from gmoe.common.arguments import check_choice, check_number, check_share

#: The losses of values and of classes. The first one is the default.
VALUE_LOSSES = ('squared_error', 'huber', 'quantile')
CLASS_LOSSES = ('cross_entropy', 'focal')


@dataclass(frozen=True)
class Loss:
    r"""A loss and its settings.

    - ``"squared_error"``: :math:`r^2`, of the residual
      :math:`r = y - \hat y`.
    - ``"huber"``: :math:`r^2 / 2` up to :math:`\delta`, and a line of slope
      :math:`\delta` beyond, so that outliers count less.
    - ``"quantile"``: :math:`\max(q r, (q - 1) r)`, whose least mean is that of
      the quantile :math:`q`; the median for 0.5.
    - ``"cross_entropy"``: :math:`-\log p`, of the probability :math:`p` of the
      label.
    - ``"focal"``: :math:`-(1 - p)^\gamma \log p` (`Lin et al. 2017
      <https://arxiv.org/abs/1708.02002>`_), so that labels that are predicted
      well count less.

    Args:
        name: The loss. (default: ``"squared_error"`` or ``"cross_entropy"``)
        huber_delta: The residual :math:`\delta`, on the scale of the targets
            that are learned.
        quantile: The quantile :math:`q`, between 0 and 1.
        focal_gamma: The exponent :math:`\gamma`.

    Raises:
        ValueError: If an argument is out of range.
    """

    name: str | None = None
    huber_delta: float = 1.0
    quantile: float = 0.5
    focal_gamma: float = 2.0

    def __post_init__(self) -> None:
        known = (None, *VALUE_LOSSES, *CLASS_LOSSES)
        check_choice('loss', self.name, known)
        check_number(0, inclusive=False, huber_delta=self.huber_delta)
        check_number(0, focal_gamma=self.focal_gamma)
        check_share(quantile=self.quantile)
        if self.quantile == 0:
            raise ValueError(
                f"'quantile' must be in (0, 1), got {self.quantile}"
            )

    def check(self, is_regression: bool) -> None:
        """Refuses a loss that does not fit the task.

        Args:
            is_regression: Whether targets are values, and not classes.

        Raises:
            ValueError: If it does not fit.
        """
        known = VALUE_LOSSES if is_regression else CLASS_LOSSES
        if self.name not in (None, *known):
            task = 'regression' if is_regression else 'classification'
            raise ValueError(
                f"'loss' must be one of {[*known]} for {task}, got "
                f'{self.name!r}'
            )

    def values(self, out: Tensor, target: Tensor) -> Tensor:
        """The losses of values.

        Args:
            out: Predicted values, of any shape.
            target: The values, of the same shape.
        """
        if self.name == 'huber':
            return functional.huber_loss(
                out, target, reduction='none', delta=self.huber_delta
            )
        if self.name == 'quantile':
            residual = target - out
            return torch.maximum(
                self.quantile * residual, (self.quantile - 1) * residual
            )
        return functional.mse_loss(out, target, reduction='none')

    def two_classes(self, out: Tensor, target: Tensor) -> Tensor:
        """The losses of labels that are 0 or 1.

        Args:
            out: Logits, of any shape.
            target: The labels, of the same shape.
        """
        loss = functional.binary_cross_entropy_with_logits(
            out, target, reduction='none'
        )
        return self._focus(loss, loss)

    def categories(
        self, out: Tensor, y: Tensor, unknown: int, label_smoothing: float
    ) -> Tensor:
        """The losses of graphs with one of several categories each, zero
        where it is not known.

        Args:
            out: Logits of shape ``[num_graphs, num_categories]``.
            y: The categories, of shape ``[num_graphs]``.
            unknown: The category of graphs whose category is not known.
            label_smoothing: The share of the label that is spread over all
                categories.
        """
        loss = functional.cross_entropy(
            out,
            y,
            ignore_index=unknown,
            reduction='none',
            label_smoothing=label_smoothing,
        )
        if self.name != 'focal':
            return loss
        hard = functional.cross_entropy(
            out, y, ignore_index=unknown, reduction='none'
        )
        return self._focus(loss, hard)

    def _focus(self, loss: Tensor, cross_entropy: Tensor) -> Tensor:
        if self.name != 'focal':
            return loss
        # One minus the probability, without cancellation; the slope of a
        # power below one is infinite at zero.
        miss = -torch.expm1(-cross_entropy)
        return loss * miss.clamp(min=1e-12) ** self.focal_gamma
