"""Training on a tiny set: what learns passes, what does not is named."""

import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss

from gmoe.testing import assert_overfits


def fit(model: nn.Module, below: float = 1e-3) -> None:
    x = torch.linspace(-1, 1, 6).unsqueeze(1)
    assert_overfits(model, lambda: mse_loss(model(x), x.abs()), below)


def test_what_learns_and_what_does_not():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, 16), nn.ReLU(), nn.Linear(16, 1))
    fit(model.eval())
    assert not model.training
    with pytest.raises(AssertionError, match='is .* before training'):
        fit(model)
    with pytest.raises(AssertionError, match=r'must fall below 0.001, but'):
        fit(nn.Linear(1, 1))
