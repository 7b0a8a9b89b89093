import pytest
import torch

from gmoe.datasets import import_ogb
from gmoe.training import METRIC_MODES, GraphScore
from gmoe.training.metrics import CLASS_MODES, VALUE_MODES, GraphScores

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
        ('ogbg-molhiv', 'f2', 'rocauc'),
        ('ogbg-molhiv', 'f1', 'rocauc'),
        ('ogbg-molhiv', 'acc', 'rocauc'),
        ('ogbg-molesol', 'rocauc', 'rmse'),
        ('mine', 'auc', 'acc'),
        ('ogbg-molnope', 'rocauc', 'ogbg-molhiv'),
    ],
)
def test_refused_metric(name, metric, accepted):
    with pytest.raises(ValueError, match=f'{accepted}.*got'):
        GraphScore(name, metric)


@pytest.mark.parametrize('name', ['mine', *DATASETS])
def test_other_scores_are_beside_the_one_that_selects(name):
    metric, num_tasks = DATASETS.get(name, ('mcc', 3))
    modes = VALUE_MODES if metric == 'rmse' else CLASS_MODES
    prediction, target = examples(num_tasks, classes=metric != 'rmse')
    one, all_of_them = GraphScore(name, metric), GraphScores(name, metric)
    for score in (one, all_of_them):
        score.update(prediction, target, torch.arange(40))
    values = all_of_them.compute()
    assert list(values)[0] == metric
    assert set(values) == set(modes)
    assert values[metric] == one.compute()
    for other in set(modes) - {metric}:
        plain = GraphScore('mine', other)
        plain.update(prediction, target, torch.arange(40))
        assert plain.compute() == values[other]


def test_scores_that_are_not_defined_are_named():
    score = GraphScores('mine', 'accuracy')
    target = torch.ones(4, 1)
    score.update(torch.rand(4, 1), target, torch.arange(4))
    with pytest.warns(RuntimeWarning, match='rocauc, ap, mcc need'):
        values = score.compute()
    assert values['rocauc'].isnan()
    assert not values['accuracy'].isnan()
    score = GraphScores('mine', 'rmse')
    score.update(torch.rand(4, 1), torch.full((4, 1), torch.nan), target[:, 0])
    with pytest.warns(UserWarning, match='no entry is labelled'):
        assert all(value.isnan() for value in score.compute().values())
