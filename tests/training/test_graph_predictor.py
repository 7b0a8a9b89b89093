import pytest
import torch

from gmoe.training import GraphPredictor, GraphScore
from gmoe.training.task import SCORES
from tests.training import tiny
from tests.training.own_graphs import KINDS, OwnGraphs, make_own_model

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


@pytest.mark.parametrize('kind', list(KINDS))
@pytest.mark.parametrize('is_first', [True, False])
def test_every_kind_of_own_data_is_trained(kind, is_first):
    metric = SCORES[kind][0 if is_first else -1]
    data = OwnGraphs(kind, eval_metric=metric, num_graphs=100)
    trainer = tiny.make_trainer(max_epochs=1)
    trainer.fit(make_own_model(data), data)
    logged = trainer.callback_metrics
    assert logged[data.monitor].isfinite()
    names = {name for name in SCORES[kind] if name != 'acc'} | {metric}
    assert {f'val/{name}' for name in names} <= set(logged)
    (batch, *_) = trainer.predict(trainer.lightning_module, data)
    assert batch['prediction'].shape[1] == data.num_outputs
