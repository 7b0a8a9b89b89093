import pytest
import torch
from lightning.pytorch import Callback, seed_everything

from gmoe.training import GraphPredictor
from gmoe.training.callbacks import AveragedWeights
from tests.training import tiny
from tests.training.test_resume import (
    assert_same_logs,
    assert_same_state,
    load,
)

SETTINGS = [{'decay': 0.9}, {'last_epochs': 2}]


class Steps(Callback):
    """The weights after each step, by epoch."""

    def __init__(self):
        self.kept = []

    def on_train_batch_end(self, trainer, pl_module, *args):
        state = pl_module.state_dict()
        copy = {name: value.clone() for name, value in state.items()}
        self.kept.append((trainer.current_epoch, copy))


class StopAfter(Callback):
    def __init__(self, epoch):
        self.epoch = epoch

    def on_train_epoch_end(self, trainer, pl_module):
        trainer.should_stop = trainer.current_epoch == self.epoch


def fit(folder, *callbacks, ckpt_path=None, **settings):
    seed_everything(5)
    averaging = AveragedWeights(**settings)
    trainer = tiny.make_trainer(folder, 4, [averaging, *callbacks])
    trainer.fit(
        tiny.make_model(),
        tiny.make_data(),
        ckpt_path=ckpt_path,
        weights_only=True,
    )
    return trainer


def reference(kept, decay=None, last_epochs=None):
    """The average, step by step, in double precision."""
    steps = [
        state
        for epoch, state in kept
        if last_epochs is None or epoch >= 4 - last_epochs
    ]
    average = {name: value.double() for name, value in steps[0].items()}
    for n, state in enumerate(steps[1:], start=1):
        keep = n / (n + 1)
        if decay is not None:
            keep = min(decay, (1 + n) / (10 + n))
        for name, value in state.items():
            average[name] = keep * average[name] + (1 - keep) * value
    return average


@pytest.mark.parametrize('settings', SETTINGS)
def test_average_is_that_of_the_steps(tmp_path, settings):
    steps = Steps()
    trainer = fit(tmp_path, steps, **settings)
    expected = reference(steps.kept, **settings)
    saved = load(tmp_path / 'last.ckpt')
    left = trainer.lightning_module.state_dict()
    for name, value in expected.items():
        if value.dtype == torch.double and 'num_batches' not in name:
            assert torch.allclose(
                saved['state_dict'][name].double(), value, atol=1e-5
            ), name
        assert torch.equal(left[name], saved['state_dict'][name])
        now = steps.kept[-1][1][name]
        assert torch.equal(saved['current_model_state'][name], now)
    # Training itself goes on with its own weights.
    assert any(
        (saved['state_dict'][name] != value).any()
        for name, value in saved['current_model_state'].items()
    )
    # What is no parameter and not saved is not averaged either.
    encoder = trainer.lightning_module.gnn.node_encoder
    fresh = tiny.make_model().gnn.node_encoder
    assert torch.equal(encoder.offsets, fresh.offsets)


@pytest.mark.parametrize('settings', SETTINGS)
def test_resumed_run_equals_uninterrupted_run(tmp_path, settings):
    whole, parts = tmp_path / 'whole', tmp_path / 'parts'
    fit(whole, **settings)
    for epoch in (0, 2):  # Before and after there is a plain average.
        folder = parts / str(epoch)
        fit(folder, StopAfter(epoch), **settings)
        last = folder / 'last.ckpt'
        assert load(last)['epoch'] == epoch
        fit(folder, ckpt_path=last, **settings)
        for name in ('best.ckpt', 'last.ckpt'):
            assert_same_state(folder / name, whole / name)
        a, b = (load(path / 'last.ckpt') for path in (folder, whole))
        for name, value in a['current_model_state'].items():
            assert torch.equal(value, b['current_model_state'][name])
        assert_same_logs(folder, whole)


@pytest.mark.parametrize('settings', SETTINGS)
def test_best_checkpoint_has_the_validated_weights(tmp_path, settings):
    trainer = fit(tmp_path, **settings)
    best = trainer.checkpoint_callbacks[0]
    model = GraphPredictor.load_from_checkpoint(tmp_path / 'best.ckpt')
    (scores,) = tiny.make_trainer().validate(
        model, tiny.make_data(), verbose=False
    )
    assert scores['val/acc'] == pytest.approx(float(best.best_model_score))
    epoch = load(tmp_path / 'best.ckpt')['epoch']
    logged = tiny.logged(tmp_path)['val/loss'][epoch]
    assert scores['val/loss'] == pytest.approx(logged, rel=1e-5)


def test_nothing_changes_without_an_average(tmp_path):
    fit(tmp_path / 'off')
    tiny.fit(tmp_path / 'without', max_epochs=4)
    for name in ('best.ckpt', 'last.ckpt'):
        assert_same_state(tmp_path / 'off' / name, tmp_path / 'without' / name)
    assert 'current_model_state' not in load(tmp_path / 'off' / 'last.ckpt')


def test_refused():
    with pytest.raises(ValueError, match="'last_epochs' must be None"):
        AveragedWeights(0.9, 3)
    for value in (1.0, -0.1):
        with pytest.raises(
            ValueError, match=f"'decay' must be .* got {value}"
        ):
            AveragedWeights(value)
    with pytest.raises(ValueError, match="'last_epochs' must be .* got 0"):
        AveragedWeights(last_epochs=0)
    trainer = tiny.make_trainer(
        max_epochs=-1, callbacks=[AveragedWeights(last_epochs=1)]
    )
    with pytest.raises(ValueError, match="'trainer.max_epochs' must be set"):
        trainer.fit(tiny.make_model(), tiny.make_data())


def test_average_is_there_once_there_is_one(tmp_path):
    averaging = AveragedWeights(last_epochs=1)
    seen = []

    class Look(Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            seen.append(averaging.average is not None)

    trainer = tiny.make_trainer(tmp_path, 3, [averaging, Look()])
    trainer.fit(tiny.make_model(), tiny.make_data())
    assert seen == [False, False, True]
