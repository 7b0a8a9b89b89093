"""What a network predicts is scored, split by split."""

import pytest
import torch
from lightning.pytorch import seed_everything

from gmoe.routing.router import NonFiniteError
from gmoe.training import TrainingDivergedError
from tests.training import tiny


@pytest.fixture(scope='module')
def model():
    seed_everything(0)
    return tiny.make_model()


def all_of(data, split):
    data.setup()
    graphs = data.dataset[data.splits[split]]
    targets = torch.stack([graph.y.view(-1) for graph in graphs])
    return [graph.graph_id.item() for graph in graphs], targets


@pytest.mark.parametrize('batch_size', [5, 100])
def test_each_split_has_its_scores(model, batch_size):
    data = tiny.make_data(batch_size=batch_size, predict_split='test')
    trainer = tiny.make_trainer()
    (found,) = trainer.validate(model, data, verbose=False)
    assert found.keys() > {'val/loss', 'val/acc'}
    assert all(name.startswith('val/') for name in found)
    (found,) = trainer.test(model, data, verbose=False)
    assert found.keys() > {'test/loss', 'test/acc'}
    parts = trainer.predict(model, data)
    rows = {k: torch.cat([part[k] for part in parts]) for k in parts[0]}
    ids, target = all_of(data, 'test')
    assert rows['graph_id'].tolist() == ids
    assert torch.equal(rows['target'], target)
    right = (rows['prediction'] > 0.5) == (target == 1)
    assert found['test/acc'] == pytest.approx(right.double().mean().item())
    loss = torch.nn.functional.binary_cross_entropy(
        rows['prediction'].double(), target.double()
    )
    assert found['test/loss'] == pytest.approx(loss.item(), rel=1e-5)


def test_which_score_is_better(model):
    assert model.mode == 'max'
    regressor = tiny.make_model(task_type='regression', metric='rmse')
    assert regressor.mode == 'min'
    assert model.task is model.objective.task


def test_a_router_that_is_not_finite():
    """It ends a training as diverged; else the error is the router's."""
    seed_everything(0)
    model, data = tiny.make_model(), tiny.make_data()
    weights = model.state_dict()
    wrong = {k: v * torch.nan for k, v in weights.items() if 'weight' in k}
    model.load_state_dict(weights | wrong)
    with pytest.raises(NonFiniteError):
        tiny.make_trainer().validate(model, data, verbose=False)
    match = 'at epoch 0, step 0: a router says that'
    with pytest.raises(TrainingDivergedError, match=match):
        tiny.make_trainer(max_epochs=1).fit(model, data)
