"""The settings of Switch Transformers with a router of gmoe."""

import json

import pytest

reason = "the extra 'text' is not installed"
transformers = pytest.importorskip('transformers', reason=reason)

from gmoe.routing import ROUTER_PRESETS, Router  # noqa: E402
from gmoe.text import (  # noqa: E402
    SwitchMoeConfig,
    SwitchMoeForConditionalGeneration,
)
from gmoe.text.switch.config import SWITCH_ROUTERS, moe_layers  # noqa: E402
from tests.text.switch.tiny import SIZES, switch_model  # noqa: E402


def tiny(**settings):
    return SwitchMoeConfig(**{**SIZES, **settings})


@pytest.mark.parametrize('router', sorted(SWITCH_ROUTERS))
def test_round_trip(router, tmp_path):
    config = tiny(router=router, balance='importance_load', num_experts=3)
    config.save_pretrained(tmp_path)
    other = transformers.AutoConfig.from_pretrained(tmp_path)
    assert type(other) is SwitchMoeConfig
    assert other.to_diff_dict() == config.to_diff_dict()
    selected = 2 if router.endswith('topk') else None
    assert other.experts_per_token == selected
    made = Router(16, 3, **other.router_arguments)
    if router in ROUTER_PRESETS:
        preset = Router.from_preset(router, 16, 3, selected)
        assert repr(made) == repr(preset)
    else:
        assert made.normalize == 'entmax15'
        assert made.score == router.split('_')[0]


def test_arguments_take_the_place_of_the_preset():
    arguments = tiny(router_noise=False, topk_first=False).router_arguments
    assert arguments == {
        'top_k': 2,
        'score': 'linear',
        'normalize': 'softmax',
        'noise': False,
        'topk_first': False,
    }


@pytest.mark.parametrize(
    ('layers', 'sparse'),
    [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (6, 3), (7, 2), (7, 3), (6, 6)],
)
def test_layers_are_those_of_transformers(layers, sparse):
    config = tiny(num_layers=layers, num_sparse_encoder_layers=sparse)
    sizes = {'d_model': 4, 'd_ff': 4, 'num_heads': 1, 'num_experts': 2}
    model = switch_model(
        **sizes, num_layers=layers, num_sparse_encoder_layers=sparse
    )
    blocks = enumerate(model.encoder.block)
    assert config.encoder_moe_layers == [i for i, b in blocks if b.is_sparse]
    count = config.num_sparse_encoder_layers
    assert count == len(config.encoder_moe_layers)


def test_layers():
    assert moe_layers(6, 1) == [0, 1, 2, 3, 4, 5]
    assert moe_layers(6, 2) == [1, 3, 5]
    assert moe_layers(6, 3) == [1, 4]
    assert moe_layers(6, 0) == []
    config = tiny(encoder_moe_layers=(1, 0), num_sparse_decoder_layers=0)
    assert config.encoder_moe_layers == [0, 1]
    assert config.decoder_moe_layers == []


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('router', 'softmax'),
        ('router', None),
        ('router_noise', 2),
        ('topk_first', 'yes'),
        ('balance', 'gshard'),
        ('balance_weight', -1),
        ('balance_weight', float('nan')),
        ('z_loss_weight', '1'),
        ('num_experts', 0),
        ('num_experts', 'x'),
        ('num_experts', True),
        ('experts_per_token', 0),
        ('experts_per_token', 9),
        ('experts_per_token', 1.5),
        ('encoder_moe_layers', [2]),
        ('encoder_moe_layers', [-1]),
        ('encoder_moe_layers', [0, 0]),
        ('encoder_moe_layers', [True]),
        ('decoder_moe_layers', '01'),
        ('decoder_moe_layers', 1),
    ],
)
def test_bad_settings(name, value):
    with pytest.raises(ValueError, match=f"'{name}' must be "):
        tiny(**{name: value})


@pytest.mark.parametrize('name', ['num_layers', 'd_model', 'dropout_rate'])
def test_values_of_other_types(name):
    message = f"'settings' must have values of their types.*'{name}'"
    with pytest.raises(ValueError, match=message):
        tiny(**{name: '4'})


@pytest.mark.parametrize('name', ['experts_per_token', 'topk_first'])
@pytest.mark.parametrize('router', ['linear_softmax', 'attention_entmax15'])
def test_routers_without_a_number(router, name):
    value = 1 if name == 'experts_per_token' else False
    with pytest.raises(ValueError, match=f"'{name}' must be None for the"):
        tiny(router=router, **{name: value})


def test_misspelt_settings():
    with pytest.raises(ValueError, match="mean 'experts_per_token'"):
        tiny(expert_per_token=2)
    with pytest.raises(ValueError, match="got 'top_k'"):
        tiny(top_k=2)


def test_files_of_other_versions(tmp_path):
    tiny().save_pretrained(tmp_path)
    path = tmp_path / 'config.json'
    settings = json.loads(path.read_text())
    path.write_text(json.dumps({**settings, 'later': 1, 'max_length': 7}))
    config = SwitchMoeConfig.from_pretrained(tmp_path)
    assert config.later == 1
    assert 'max_length' not in config.to_dict()
    path.write_text(json.dumps({**settings, 'balance': 'later'}))
    with pytest.raises(ValueError, match="'balance' must be one of"):
        SwitchMoeConfig.from_pretrained(tmp_path)
    path.write_text(json.dumps(settings))
    with pytest.raises(ValueError, match="'balance' must be one of"):
        SwitchMoeConfig.from_pretrained(tmp_path, balance='later')


def test_files_of_other_models(tmp_path):
    switch_model().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match='.from_switch and upcycle make a'):
        SwitchMoeConfig.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match='.from_switch and upcycle make a'):
        SwitchMoeForConditionalGeneration.from_pretrained(tmp_path)
