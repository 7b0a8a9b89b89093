import pytest
import torch
from lightning.pytorch import seed_everything
from torch_geometric.data import Batch, Data

from gmoe.training.objective import Objective
from gmoe.training.task import MULTICLASS, Task
from tests.training import tiny
from tests.training.own_graphs import KINDS, OwnGraphs, make_own_model


def batch(y, **graph):
    graphs = [
        Data(
            x=torch.zeros(1, 1),
            y=row.view(1, -1),
            **{key: value[i : i + 1] for key, value in graph.items()},
        )
        for i, row in enumerate(y)
    ]
    return Batch.from_data_list(graphs)


def test_standardised_weighted_loss():
    y = torch.tensor([[10.0], [20.0], [40.0]])
    weight = torch.tensor([1.0, 2.0, 0.0])
    objective = Objective(Task('regression'), 1, standardize=True)
    data = OwnGraphs()
    data.train_targets = lambda: y
    data.train_weights = lambda: weight
    objective.fit(data, is_training=True)
    mean, std = y.mean(), y.std(correction=0)
    out = torch.tensor([[0.1], [0.2], [0.3]])
    loss, count = objective.loss(out, batch(y, weight=weight))
    error = (out - (y - mean) / std).square().view(-1)
    assert torch.allclose(loss, (error * weight).sum() / 3)
    assert count == 3
    assert torch.allclose(objective.prediction(out), out * std + mean)
    assert torch.allclose(objective.mean_loss(out, y), error.mean())


@pytest.mark.parametrize('kind', list(KINDS))
def test_weights_of_one_change_nothing_and_others_do(kind):
    losses = []
    for value in (None, 5.0, 'own'):
        seed_everything(0)
        data = OwnGraphs(kind, weights=value == 'own')
        if value == 5.0:
            data.train_weights = lambda: torch.full((48,), 5.0)
        trainer = tiny.make_trainer(max_epochs=1)
        trainer.fit(make_own_model(data), data)
        losses.append(float(trainer.callback_metrics['val/loss']))
    assert losses[0] == losses[1] != losses[2]


def test_graphs_of_weight_zero_teach_nothing():
    """Wrong targets with a weight of zero, against their absence."""
    grads = []
    for wrong in (0.0, 100.0):
        y = torch.tensor([[1.0], [wrong]])
        objective = Objective(Task('regression'), 1)
        out = torch.zeros(2, 1, requires_grad=True)
        weight = torch.tensor([2.0, 0.0])
        loss, _ = objective.loss(out, batch(y, weight=weight))
        grads.append(torch.autograd.grad(loss, out)[0])
    assert torch.equal(*grads)


@pytest.mark.parametrize('kind', ['binary classification', MULTICLASS])
def test_class_weights_are_those_of_training_and_kept(kind):
    data = OwnGraphs(kind)
    model = make_own_model(data, class_weights='balanced', loss='focal')
    trainer = tiny.make_trainer(max_epochs=1)
    trainer.fit(model, data)
    weights = model.objective.label_weights.by_class
    assert (weights != 1).any()
    name = 'objective.label_weights.by_class'
    assert torch.equal(model.state_dict()[name], weights)
    assert trainer.callback_metrics['val/loss'].isfinite()
