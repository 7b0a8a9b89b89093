"""A network that can learn at all learns a few examples by heart."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


def assert_overfits(
    model: nn.Module,
    loss: Callable[[], Tensor],
    below: float,
    steps: int = 150,
    learning_rate: float = 0.01,
) -> None:
    """Checks that training on a tiny set brings the loss near zero.

    .. code-block:: python

        batch = next(iter(DataLoader(dataset[:8], batch_size=8)))
        assert_overfits(
            model,
            lambda: mse_loss(model(batch.x, batch.edge_index), batch.y),
            below=1e-3,
        )

    Args:
        model: The network. It is trained here by Adam, in training mode, and
            left in the mode that it was in.
        loss: Gives the loss of the whole set, one number.
        below: What the loss must fall below. A network that ignores its
            input should not get there: the variance of the targets is what
            it gets in squares.
        steps: The number of steps.
        learning_rate: The size of a step.

    Raises:
        AssertionError: If the loss of the last step is not below, or that of
            the first step was already.
    """
    was_training = model.training
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    values = []
    model.train()
    try:
        for _ in range(steps):
            optimizer.zero_grad()
            value = loss()
            value.backward()
            optimizer.step()
            values.append(float(value.detach()))
    finally:
        model.train(was_training)
    if not values[0] >= below:
        raise AssertionError(
            f'The loss is {values[0]:.3g} before training: a loss below '
            f'{below:.3g} shows nothing.'
        )
    if not values[-1] < below:
        raise AssertionError(
            f'The loss must fall below {below:.3g}, but went from '
            f'{values[0]:.3g} to {values[-1]:.3g} in {steps} steps.'
        )
