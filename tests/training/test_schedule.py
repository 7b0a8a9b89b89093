import math

import pytest
import torch
from lightning.pytorch import Callback, seed_everything

from gmoe.training.schedule import Factor, Schedule
from tests.training import tiny
from tests.training.test_resume import assert_same_state, load

SETTINGS = {
    'cosine': {'schedule': 'cosine', 'warmup_epochs': 1, 'end_factor': 0.01},
    'exponential': {'schedule': 'exponential', 'warmup_epochs': 1.5},
    'linear': {'schedule': 'linear', 'warmup_epochs': 0.5},
    'warm-up': {'warmup_epochs': 2},
}


class Rates(Callback):
    """The learning rate of each step."""

    def __init__(self):
        self.rates = []

    def on_train_batch_start(self, trainer, *args):
        self.rates.append(trainer.optimizers[0].param_groups[0]['lr'])


def fit(folder, max_epochs, ckpt_path=None, **settings):
    seed_everything(5)
    rates = Rates()
    trainer = tiny.make_trainer(folder, max_epochs, [rates])
    trainer.fit(
        tiny.make_model(**settings),
        tiny.make_data(),
        ckpt_path=ckpt_path,
        weights_only=True,
    )
    return rates.rates


def reference(step, steps, warmup, name, start, end):
    if step < warmup:
        return start + (1 - start) * step / warmup
    share = (step - warmup) / (steps - warmup)
    if name == 'linear':
        return 1 - (1 - end) * share
    if name == 'cosine':
        return end + (1 - end) * (1 + math.cos(math.pi * share)) / 2
    return math.exp(math.log(end) * share) if name == 'exponential' else 1.0


@pytest.mark.parametrize('name', list(SETTINGS))
def test_rates_of_a_run(name):
    settings = SETTINGS[name]
    rates = fit(None, 3, learning_rate=0.01, **settings)
    assert len(rates) == 18  # 48 graphs in batches of 8, three times.
    warmup = settings['warmup_epochs'] * 6
    end = settings.get('end_factor', 0.1 if name == 'exponential' else 0.0)
    expected = [
        0.01 * reference(step, 18, warmup, settings.get('schedule'), 0.1, end)
        for step in range(18)
    ]
    assert rates == pytest.approx(expected)


@pytest.mark.parametrize('name', ['exponential', 'warm-up'])
def test_resumed_run_equals_uninterrupted_run(tmp_path, name):
    whole, parts = tmp_path / 'whole', tmp_path / 'parts'

    class Stop(Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            trainer.should_stop = trainer.current_epoch == 1

    fit(whole, 3, **SETTINGS[name])
    seed_everything(5)
    trainer = tiny.make_trainer(parts, 3, [Stop()])
    trainer.fit(tiny.make_model(**SETTINGS[name]), tiny.make_data())
    assert load(parts / 'last.ckpt')['epoch'] == 1
    fit(parts, 3, parts / 'last.ckpt', **SETTINGS[name])
    for file in ('best.ckpt', 'last.ckpt'):
        assert_same_state(parts / file, whole / file)
    a, b = (load(path / 'last.ckpt') for path in (parts, whole))
    assert a['lr_schedulers'] == b['lr_schedulers']


def test_warm_up_longer_than_the_run_is_all_of_it():
    factor = Factor(Schedule('cosine', 9), warmup=90, steps=10)
    assert factor(10) == 1.0
    assert factor(5) == pytest.approx(0.55)


def test_constant_rate_needs_no_scheduler():
    assert Schedule().make(None, None) is None
    model = tiny.make_model()
    assert isinstance(model.configure_optimizers(), torch.optim.Adam)


def test_run_without_an_end_is_refused():
    trainer = tiny.make_trainer(max_epochs=-1)
    with pytest.raises(ValueError, match="'trainer.max_epochs' .*cosine"):
        trainer.fit(tiny.make_model(schedule='cosine'), tiny.make_data())


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'name': 'step'}, "'schedule' must be one of .*'cosine'.*'step'"),
        ({'warmup_epochs': -1}, "'warmup_epochs' must be .*>= 0, got -1"),
        ({'start_factor': 2.0}, r"'start_factor' must be in \[0, 1\], got 2"),
        ({'end_factor': -1.0}, "'end_factor' must be in .* got -1"),
        (
            {'name': 'exponential', 'end_factor': 0.0},
            r"'end_factor' must be in \(0, 1\]",
        ),
    ],
)
def test_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Schedule(**arguments)
