import pytest
import torch

from gmoe.training import GraphPredictor, GraphScore

SMALL = {'hidden_channels': 4, 'num_layers': 1}


@pytest.mark.parametrize(
    ('dataset', 'task_type', 'metric', 'known'),
    [
        ('mine', 'regression', 'acc', 'rmse'),
        ('mine', 'regression', 'rocauc', 'rmse'),
        ('mine', 'binary classification', 'rmse', 'rocauc'),
        ('mine', 'binary classification', 'weighted_f1', 'rocauc'),
        ('ogbg-molesol', 'binary classification', 'rmse', 'rocauc'),
        ('ogbg-molbbbp', 'regression', 'rocauc', 'rmse'),
    ],
)
def test_scores_that_do_not_fit_the_task(dataset, task_type, metric, known):
    message = f"'metric' must be one of .*{known}.* got '{metric}'"
    with pytest.raises(ValueError, match=message):
        GraphPredictor(dataset, task_type, metric, **SMALL)


def test_regression_on_a_dataset_of_ones_own():
    model = GraphPredictor('mine', 'regression', 'rmse', **SMALL)
    assert model.mode == 'min'
    score = GraphScore('mine', 'rmse')
    score.update(
        torch.tensor([[1.0], [2.0], [5.0]]),
        torch.tensor([[1.0], [4.0], [float('nan')]]),
        torch.tensor([0, 1, 2]),
    )
    assert float(score.compute()) == pytest.approx(2**0.5)
