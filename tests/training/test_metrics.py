import numpy as np
import pytest
import torch

from gmoe.datasets import import_ogb
from gmoe.routing import Router
from gmoe.training import (
    METRIC_MODES,
    CategoryScore,
    ExpertUsage,
    GraphScore,
)
from gmoe.training.metrics import SplitLoss, WeightedMean

# One dataset for each of OGB's metrics.
DATASETS = {
    'ogbg-moltox21': ('rocauc', 12),
    'ogbg-molmuv': ('ap', 17),
    'ogbg-molfreesolv': ('rmse', 1),
}


def examples(num_tasks, classes=True, seed=0):
    generator = torch.Generator().manual_seed(seed)
    prediction = torch.rand(40, num_tasks, generator=generator)
    target = torch.randn(40, num_tasks, generator=generator)
    if classes:
        target = (target > 0).float()
        missing = torch.rand(40, num_tasks, generator=generator) < 0.5
        target[missing] = float('nan')
    return prediction, target


@pytest.mark.parametrize('name', list(DATASETS))
def test_equals_ogb_and_counts_each_graph_once(name):
    metric, num_tasks = DATASETS[name]
    prediction, target = examples(num_tasks, classes=metric != 'rmse')
    evaluator = import_ogb('ogb.graphproppred.evaluate').Evaluator(name)
    expected = evaluator.eval(
        {'y_true': target.numpy(), 'y_pred': prediction.numpy()}
    )[metric]

    score = GraphScore(name, metric)
    # Any order, any batches, some graphs twice.
    order = torch.randperm(40, generator=torch.Generator().manual_seed(1))
    for ids in (order[:7], order[7:40], order[3:12]):
        score.update(prediction[ids], target[ids], ids)
    assert float(score.compute()) == pytest.approx(expected, abs=1e-12)
    assert METRIC_MODES[metric] == ('min' if metric == 'rmse' else 'max')


def test_accuracy_of_other_datasets():
    prediction, target = examples(2)
    labelled = ~target.isnan()
    right = (prediction > 0.5) == (target == 1)
    score = GraphScore('mine', 'acc')
    ids = torch.arange(40)
    score.update(prediction, target, ids)
    score.update(1 - prediction[:5], target[:5], ids[:5])
    expected = right[labelled].float().mean()
    assert torch.allclose(score.compute().float(), expected)


@pytest.mark.parametrize(
    ('name', 'metric', 'prediction', 'target'),
    [
        ('ogbg-molhiv', 'rocauc', 0.5, 1.0),
        ('ogbg-molhiv', 'rocauc', 0.5, float('nan')),
        ('ogbg-molhiv', 'rocauc', float('nan'), 1.0),
        ('ogbg-molesol', 'rmse', float('inf'), 1.0),
        ('ogbg-molesol', 'rmse', 0.5, float('nan')),
        ('mine', 'acc', 0.5, float('nan')),
    ],
)
def test_undefined_score(name, metric, prediction, target):
    score = GraphScore(name, metric)
    score.update(
        torch.full((4, 1), prediction),
        torch.full((4, 1), target),
        torch.arange(4),
    )
    with pytest.warns(UserWarning, match='score is not defined'):
        assert score.compute().isnan()


def test_other_mistakes_are_no_undefined_score():
    score = GraphScore('ogbg-molhiv', 'rocauc')
    score.update(torch.rand(4, 2), torch.ones(4, 2), torch.arange(4))
    with pytest.raises(RuntimeError, match='Number of tasks'):
        score.compute()


@pytest.mark.parametrize(
    ('name', 'metric', 'accepted'),
    [
        ('ogbg-molhiv', 'f1', 'rocauc'),
        ('ogbg-molhiv', 'acc', 'rocauc'),
        ('ogbg-molesol', 'rocauc', 'rmse'),
        ('mine', 'rocauc', 'acc'),
        ('ogbg-molnope', 'rocauc', 'ogbg-molhiv'),
    ],
)
def test_refused_metric(name, metric, accepted):
    with pytest.raises(ValueError, match=f'{accepted}.*got'):
        GraphScore(name, metric)


def test_unknown_categories_do_not_count():
    generator = torch.Generator().manual_seed(0)
    prediction = torch.rand(30, 4, generator=generator)
    target = torch.randint(4, (30,), generator=generator)
    ids = torch.arange(30)
    known, score = CategoryScore(4), CategoryScore(4)
    known.update(prediction[10:], target[10:], ids[10:])
    target[:10] = -1
    score.update(prediction, target, ids)
    assert score.compute() == known.compute()


@pytest.mark.parametrize(
    ('prediction', 'target', 'reason'),
    [
        (0.25, -1, 'no category is known'),
        (float('nan'), 1, 'a prediction is not finite'),
    ],
)
def test_undefined_scores_of_categories(prediction, target, reason):
    score = CategoryScore(4)
    score.update(
        torch.full((3, 4), prediction),
        torch.full((3,), target),
        torch.arange(3),
    )
    with pytest.warns(UserWarning, match=reason):
        values = score.compute()
    assert set(values) == {'weighted_f1', 'accuracy', 'macro_f1'}
    assert all(value.isnan() for value in values.values())


def test_split_loss_counts_each_graph_once():
    loss = SplitLoss()
    losses = torch.tensor([[1.0, 0.0], [2.0, 3.0], [0.0, 0.0]])
    labelled = torch.tensor([[True, False], [True, True], [False, False]])
    ids = torch.tensor([4, 2, 9])
    for rows in ([0, 1], [2], [1, 0]):
        loss.update(losses[rows], labelled[rows], ids[rows])
    total, count = loss.compute()
    assert (total, count) == (6, 3)
    assert total.dtype == torch.float64


def test_weighted_mean():
    mean = WeightedMean()
    for value, weight in ((1.0, 3), (5.0, torch.tensor(1.0)), (9.0, 0)):
        mean.update(torch.tensor(value), weight)
    assert mean.compute() == 2
    mean.reset()
    mean.update(torch.tensor(1.0), 0)
    assert mean.compute().isnan()


def test_expert_usage():
    usage = ExpertUsage(num_layers=2, num_experts=4)
    assert (usage.counts == 0).all()
    expected = np.zeros((2, 4))
    for seed in range(3):
        torch.manual_seed(seed)
        routings = [
            Router(3, 4, top_k=2)(torch.randn(9, 3)),
            Router(3, 4, normalize='sparsemax')(torch.randn(9, 3)),
        ]
        usage.update(routings)
        for layer, routing in enumerate(routings):
            for expert in routing.expert.tolist():
                expected[layer, expert] += 1
    share = usage.compute()
    assert np.allclose(share, expected / expected.sum(axis=1, keepdims=True))
    usage.reset()
    assert (usage.counts == 0).all()


def test_scores_of_categories_are_those_of_sklearn():
    metrics = pytest.importorskip('sklearn.metrics')
    generator = torch.Generator().manual_seed(0)
    # Two categories are never there, one of them is predicted.
    target = torch.randint(5, (200,), generator=generator)
    logits = torch.randn(200, 7, generator=generator)
    logits[:, 6] = -9
    predicted = logits.argmax(dim=1)
    score = CategoryScore(7)
    order = torch.randperm(200, generator=generator)
    for ids in (order[:70], order[60:], order[:5]):
        score.update(logits[ids].softmax(dim=1), target[ids], ids)
    expected = {
        'accuracy': metrics.accuracy_score(target, predicted),
        **{
            f'{average}_f1': metrics.f1_score(
                target, predicted, average=average, zero_division=0
            )
            for average in ('weighted', 'macro')
        },
    }
    out = score.compute()
    assert set(out) == set(expected)
    for name, value in expected.items():
        assert float(out[name]) == pytest.approx(value, abs=1e-6)
        assert METRIC_MODES[name] == 'max'
    with pytest.raises(ValueError, match="'num_classes' must be at least 2"):
        CategoryScore(1)
