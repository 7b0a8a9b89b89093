"""Each loss against its formula, written with NumPy."""

import math

import numpy as np
import pytest
import torch

from gmoe.training.losses import CLASS_LOSSES, VALUE_LOSSES, Loss
from gmoe.training.task import MULTICLASS, Task

OUT = torch.tensor([[0.5, -1.0], [2.0, 0.0], [0.0, 30.0]])
Y = torch.tensor([[1.0, 3.0], [float('nan'), 0.5], [0.0, -3.0]])


def value(name, residual, delta=0.7, q=0.9):
    size = abs(residual)
    return {
        'squared_error': residual**2,
        'huber': residual**2 / 2
        if size <= delta
        else delta * (size - delta / 2),
        'quantile': max(q * residual, (q - 1) * residual),
    }[name]


@pytest.mark.parametrize('name', VALUE_LOSSES)
def test_values(name):
    task = Task('regression', loss=Loss(name, huber_delta=0.7, quantile=0.9))
    loss, labelled = task.entry_loss(OUT, Y)
    for i, j in np.ndindex(3, 2):
        if math.isnan(Y[i, j]):
            assert loss[i, j] == 0
            assert not labelled[i, j]
        else:
            expected = value(name, float(Y[i, j] - OUT[i, j]))
            assert float(loss[i, j]) == pytest.approx(expected, rel=1e-5)
    assert torch.allclose(task.loss(OUT, Y)[0], loss.sum() / 5)


def test_least_mean_of_quantile_loss_is_that_of_the_quantile():
    y = torch.randn(1, 2000, generator=torch.Generator().manual_seed(0))
    guess = torch.linspace(-2, 2, 401).view(-1, 1)
    loss = Loss('quantile', quantile=0.8).values(guess, y).mean(dim=1)
    best = guess[loss.argmin()]
    assert float(best) == pytest.approx(float(y.quantile(0.8)), abs=0.01)


@pytest.mark.parametrize('gamma', [0.0, 0.5, 2.0])
def test_focal_loss(gamma):
    out = OUT.clone().requires_grad_()
    y = torch.tensor([[1.0, 0.0], [0.0, 1.0], [float('nan'), 1.0]])
    task = Task('binary classification', loss=Loss('focal', focal_gamma=gamma))
    loss, _ = task.entry_loss(out, y)
    p = OUT.double().sigmoid()
    p = torch.where(y == 1, p, 1 - p)
    expected = -((1 - p) ** gamma) * p.log()
    expected = torch.where(y.isnan(), 0.0, expected)
    assert torch.allclose(loss.double(), expected, atol=1e-6)
    # Logits that are as right as they can be have a slope, too.
    (grad,) = torch.autograd.grad(loss.sum(), out)
    assert grad.isfinite().all()

    y = torch.tensor([0, -1, 1])
    loss, _ = Task(
        MULTICLASS, loss=Loss('focal', focal_gamma=gamma)
    ).entry_loss(OUT, y)
    p = OUT.double().softmax(dim=1)[torch.arange(3), y.clamp(min=0)]
    expected = torch.where(y < 0, 0.0, -((1 - p) ** gamma) * p.log())
    assert torch.allclose(loss[:, 0].double(), expected, atol=1e-6)


@pytest.mark.parametrize('kind', ['binary classification', MULTICLASS])
def test_focal_loss_without_focus_is_cross_entropy(kind):
    y = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    y = y[:, 0].long() if kind == MULTICLASS else y
    plain, _ = Task(kind).loss(OUT, y)
    focal, _ = Task(kind, loss=Loss('focal', focal_gamma=0.0)).loss(OUT, y)
    assert torch.allclose(plain, focal)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'name': 'mse'}, "'loss' must be one of .*'huber'.* got 'mse'"),
        ({'huber_delta': 0.0}, "'huber_delta' must be .*> 0, got 0.0"),
        ({'focal_gamma': -1.0}, "'focal_gamma' must be .*>= 0, got -1.0"),
        ({'quantile': 0.0}, "'quantile' must be in \\(0, 1\\), got 0.0"),
        ({'quantile': 1.0}, "'quantile' must be .* got 1.0"),
    ],
)
def test_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Loss(**arguments)


def test_losses_of_other_tasks_are_refused():
    for name in CLASS_LOSSES:
        with pytest.raises(ValueError, match=f"'loss'.*regression.*'{name}'"):
            Task('regression', loss=Loss(name))
    for name in VALUE_LOSSES:
        with pytest.raises(ValueError, match=f"'loss'.*classif.*'{name}'"):
            Task(MULTICLASS, loss=Loss(name))
