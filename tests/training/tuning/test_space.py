"""Spaces of settings, as files describe them."""

import pytest
import yaml

from gmoe.training.tuning import Space

TEXT = """
model.conv: {choice: [gcn, gin]}
model.dropout: {uniform: [0, 0.5]}
model.learning_rate: {loguniform: [1e-4, 1e-2]}
model.num_layers: {randint: [2, 6]}
experts:
  choice:
    - {model.num_experts: 1, model.top_k: null}
    - {model.num_experts: 4, model.top_k: 2}
"""


@pytest.fixture
def space():
    return Space.from_dict(yaml.safe_load(TEXT))


def test_optuna_draws_settings(space):
    optuna = pytest.importorskip('optuna')
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = [study.ask(space.distributions()).params for _ in range(200)]
    settings = [space.settings(point) for point in drawn]
    assert all(list(s) == space.names for s in settings)
    assert {s['model.num_layers'] for s in settings} == {2, 3, 4, 5, 6}
    assert {s['model.conv'] for s in settings} == {'gcn', 'gin'}
    mixtures = {(s['model.num_experts'], s['model.top_k']) for s in settings}
    assert mixtures == {(1, None), (4, 2)}
    rates = [s['model.learning_rate'] for s in settings]
    # As many below the geometric mean as above.
    assert 60 < sum(rate < 1e-3 for rate in rates) < 140
    assert all(space.find(s) == p for s, p in zip(settings, drawn))


def test_settings_outside(space):
    inside = {
        'model.conv': 'gin',
        'model.dropout': 0,
        'model.learning_rate': 1e-3,
        'model.num_layers': 2,
        'model.num_experts': 4,
        'model.top_k': 2,
        'model.hidden_channels': 64,
    }
    assert space.settings(space.find(inside)).items() <= inside.items()
    for name, value in [
        ('model.conv', 'relational'),
        ('model.dropout', 0.6),
        ('model.top_k', 1),
    ]:
        assert space.find({**inside, name: value}) is None
    del inside['model.num_layers']
    assert space.find(inside) is None


def test_a_file_describes_it_whole(space):
    again = yaml.safe_load(yaml.safe_dump(space.to_dict()))
    assert Space.from_dict(again).to_dict() == space.to_dict()
    assert len(space.ends()) == 2


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({}, 'at least one setting'),
        ({'a': 3}, "'a' of the space must be one of choice, uniform"),
        ({'a': {'normal': [0, 1]}}, "'a' must be one of"),
        ({'a': {'choice': []}}, 'a list of values'),
        ({'a': {'choice': [1, {'b': 2}]}}, 'a list of values'),
        ({'a': {'uniform': [1, 0]}}, r'\[low, high\]'),
        ({'a': {'loguniform': [0, 1]}}, 'both above zero'),
        ({'a': {'randint': [0, 1.5]}}, 'integers'),
        ({'a': {'choice': [1]}, 'g': {'choice': [{'a': 2}]}}, "'a' twice"),
    ],
)
def test_no_space(settings, message):
    with pytest.raises(ValueError, match=message):
        Space.from_dict(settings)
