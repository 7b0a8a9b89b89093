"""Scores of values and of two classes, against SciPy and scikit-learn."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from sklearn import metrics

from gmoe.training.metrics.label_scores import (
    CLASS_MODES,
    VALUE_MODES,
    label_scores,
)

NAN = float('nan')
REFERENCES = {
    'rmse': metrics.root_mean_squared_error,
    'mae': metrics.mean_absolute_error,
    'r2': metrics.r2_score,
    'spearman': lambda y, p: spearmanr(y, p).statistic,
    'rocauc': metrics.roc_auc_score,
    'ap': metrics.average_precision_score,
    'f1': lambda y, p: metrics.f1_score(y, p > 0.5),
    'mcc': lambda y, p: metrics.matthews_corrcoef(y, p > 0.5),
    'accuracy': lambda y, p: metrics.accuracy_score(y, p > 0.5),
}


@pytest.mark.parametrize('name', [*VALUE_MODES, *CLASS_MODES])
def test_mean_over_tasks_with_missing_labels(name):
    generator = torch.Generator().manual_seed(0)
    p = torch.rand(60, 4, generator=generator)
    p[:9] = 0.5  # Ties.
    y = p + torch.randn(60, 4, generator=generator)
    if name in CLASS_MODES:
        y = (y > 0.5).float()
    y[torch.rand(60, 4, generator=generator) < 0.3] = NAN
    y[:, 3] = NAN  # A task without labels counts for nothing.
    expected = []
    for task in range(3):
        known = ~y[:, task].isnan().numpy()
        expected.append(
            REFERENCES[name](
                y[:, task].double().numpy()[known],
                p[:, task].double().numpy()[known],
            )
        )
    score = label_scores([name], p, y)[name]
    assert float(score) == pytest.approx(np.mean(expected), abs=1e-6)


@pytest.mark.parametrize('label', [0.0, 1.0, NAN])
def test_one_class(label):
    p, y = torch.tensor([[0.9], [0.1]]), torch.full((2, 1), label)
    scores = label_scores(list(CLASS_MODES), p, y)
    defined = {name for name, value in scores.items() if not value.isnan()}
    accuracy = {'accuracy'} if label == label else set()
    assert defined == accuracy | ({'f1'} if label == 1 else set())


def test_values_that_do_not_differ():
    p, y = torch.tensor([[1.0], [2.0]]), torch.ones(2, 1)
    scores = label_scores(list(VALUE_MODES), p, y)
    assert scores['rmse'] == pytest.approx(0.5**0.5)
    assert scores['r2'].isnan()
    assert scores['spearman'].isnan()
    scores = label_scores(list(VALUE_MODES), y, p)
    assert scores['r2'] == pytest.approx(-1)
    assert scores['spearman'].isnan()
    alone = label_scores(list(VALUE_MODES), y[:1], p[:1])
    assert [not value.isnan() for value in alone.values()] == [
        True,
        True,
        False,
        False,
    ]
