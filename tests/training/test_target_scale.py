import numpy as np
import pytest
import torch
from lightning.pytorch import seed_everything

from gmoe.training import GraphPredictor
from gmoe.training.target_scale import TargetScale
from tests.training import tiny
from tests.training.own_graphs import OwnGraphs, make_own_model
from tests.training.test_resume import assert_same_state

NAN = float('nan')


def test_statistics_and_back():
    y = torch.tensor([[1.0, NAN, 7.0], [3.0, NAN, 7.0], [NAN, NAN, 7.0]])
    scale = TargetScale(3)
    scale.fit(y)
    # A target that is constant, or has no labels, keeps its spread.
    assert scale.mean.tolist() == [2, 0, 7]
    assert scale.std.tolist() == [1, 1, 1]
    standard = scale.to_standard(y)
    assert standard[:, 0].tolist()[:2] == [-1, 1]
    back = scale.to_units(standard)
    assert torch.allclose(back, y, equal_nan=True)


def test_large_values_with_little_spread():
    y = 1e6 + torch.arange(5.0).view(5, 1)
    scale = TargetScale(1)
    scale.fit(y)
    assert float(scale.std) == pytest.approx(np.sqrt(2))


def fit(data, max_epochs=3, folder=None, ckpt_path=None, **kwargs):
    seed_everything(0)
    model = make_own_model(data, standardize=True, **kwargs)
    trainer = tiny.make_trainer(folder, max_epochs)
    if folder is not None:
        trainer.checkpoint_callbacks[0].monitor = 'val/rmse'
        trainer.checkpoint_callbacks[0].mode = 'min'
    trainer.fit(model, data, ckpt_path=ckpt_path, weights_only=True)
    return trainer


def test_scores_and_predictions_are_in_the_units_of_the_targets():
    data = OwnGraphs(num_graphs=200, predict_split='valid')
    trainer = fit(data, max_epochs=30, learning_rate=0.02, dropout=0.0)
    model = trainer.lightning_module
    y = data.train_targets()
    assert torch.allclose(model.target_mean, y.nanmean(dim=0))
    known = y[:, 0][~y[:, 0].isnan()]
    assert model.target_std[0] == pytest.approx(float(known.std(correction=0)))
    batch = trainer.predict(model, data)[0]
    assert (batch['prediction'][:, 0] - 50).abs().max() < 50
    # Better than the mean, which is off by some 7.
    valid = trainer.validate(model, data, verbose=False)[0]
    assert valid['val/rmse'] < 5.5
    assert valid['val/loss'] < 0.5  # Of standardised targets.


def test_constant_prediction_is_the_mean():
    data = OwnGraphs(predict_split='all', batch_size=60)
    model = make_own_model(data, standardize=True)
    torch.nn.init.zeros_(model.gnn.head.weight)
    torch.nn.init.zeros_(model.gnn.head.bias)
    trainer = tiny.make_trainer(max_epochs=1, limit_train_batches=0)
    data.setup()
    model.objective.target_scale.fit(data.train_targets())
    (batch,) = trainer.predict(model, data)
    expected = data.train_targets().nanmean(dim=0)
    assert torch.allclose(batch['prediction'], expected.expand(60, 2))


def test_resumed_run_equals_uninterrupted_run(tmp_path):
    fit(OwnGraphs(), 4, tmp_path / 'whole')
    fit(OwnGraphs(), 2, tmp_path / 'parts')
    last = tmp_path / 'parts' / 'last.ckpt'
    fit(OwnGraphs(), 4, tmp_path / 'parts', last)
    for name in ('best', 'last'):
        files = (
            tmp_path / part / f'{name}.ckpt' for part in ('parts', 'whole')
        )
        assert_same_state(*files)
    loaded = GraphPredictor.load_from_checkpoint(last)
    data = OwnGraphs()
    data.setup()
    assert torch.allclose(loaded.target_mean, data.train_targets().nanmean(0))


def test_trained_network_keeps_its_scale(tmp_path):
    fit(OwnGraphs(), 2, tmp_path)
    loaded = GraphPredictor.load_from_checkpoint(tmp_path / 'last.ckpt')
    before = loaded.target_mean.clone()
    features = loaded.gnn.graph_features.mean.clone()
    tiny.make_trainer(max_epochs=1).fit(loaded, OwnGraphs(num_graphs=30))
    assert torch.equal(loaded.target_mean, before)
    assert torch.equal(loaded.gnn.graph_features.mean, features)


def test_classes_have_no_scale():
    data = OwnGraphs('binary classification')
    model = make_own_model(data, standardize=True)
    assert model.target_mean is None
    assert not any('scale' in name for name in model.state_dict())
    assert make_own_model(OwnGraphs()).target_std is None
