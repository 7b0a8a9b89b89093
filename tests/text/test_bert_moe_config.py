"""Settings of BERT-MoE: what is misspelt, and what others bring."""

import json

import pytest

reason = "the extra 'text' is not installed"
transformers = pytest.importorskip('transformers', reason=reason)

from gmoe.text import (  # noqa: E402
    BertMoeConfig,
    BertMoeForSequenceClassification,
)
from tests.text.tiny import tiny_config  # noqa: E402


def test_default_config():
    config = BertMoeConfig()
    assert (config.num_experts, config.experts_per_token) == (4, 2)
    assert (config.hidden_channels, config.pooling) == (256, 'mean')
    assert config.encoder_config.model_type == 'bert'
    assert BertMoeConfig(router='linear_softmax').experts_per_token is None


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'router': 'linear'}, "'router' must be one of.*'linear'"),
        ({'router': 3}, "'router' must be one of.*got 3"),
        ({'pooling': 'sum'}, "'pooling' must be one of.*'sum'"),
        ({'expert_activation': 'x'}, "'expert_activation' must be one of"),
        ({'router_noise': 'no'}, "'router_noise' must be one of.*got 'no'"),
        ({'topk_first': 2}, "'topk_first' must be one of.*got 2"),
        ({'num_experts': 0}, "'num_experts' must be an integer >= 1, got 0"),
        (
            {'num_experts': 'a'},
            "'num_experts' must be an integer >= 1, got 'a'",
        ),
        ({'num_labels': 0}, "'num_labels' must be an integer >= 1, got 0"),
        ({'hidden_channels': 2.5}, "'hidden_channels' must be an integer"),
        ({'dropout': 1.0}, r"'dropout' must be in \[0, 1\)"),
        ({'dropout': 'a'}, r"'dropout' must be in \[0, 1\), got 'a'"),
        ({'dropout': float('nan')}, r"'dropout' must be in \[0, 1\), got nan"),
        ({'balance_weight': -1}, "'balance_weight' must be"),
        ({'balance_weight': float('inf')}, "'balance_weight' must"),
        ({'encoder_config': {'hidden_size': 4}}, "must name its 'model_type'"),
        ({'encoder_config': 4}, "'encoder_config' must be a configuration"),
        (
            {'experts_per_token': 5},
            "'experts_per_token' must be an integer from",
        ),
        (
            {'experts_per_token': 2, 'router': 'linear_softmax'},
            "'experts_per_token' must be None for the router 'linear_softmax'",
        ),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        BertMoeConfig(**settings)


@pytest.mark.parametrize(
    ('name', 'nearest'),
    [
        ('num_expert', 'num_experts'),
        ('expert_per_token', 'experts_per_token'),
        ('hidden_channel', 'hidden_channels'),
        ('poolings', 'pooling'),
        ('num_label', 'num_labels'),
        ('balance_loss', 'balance_weight'),
    ],
)
def test_misspelt(name, nearest):
    message = f"got '{name}': did you mean '{nearest}'?"
    with pytest.raises(ValueError, match=message):
        BertMoeConfig(**{name: 8})


@pytest.mark.parametrize('name', ['top_k', 'hidden', 'max_length', 'seed'])
def test_what_does_nothing_is_refused(name):
    with pytest.raises(ValueError, match=f"'settings' must be.*got '{name}'"):
        BertMoeConfig(**{name: 8})


OLD = {'experts_per_text': 1, 'expert_hidden': 8, 'balance_loss_weight': 0.5}


def test_names_of_before(tmp_path):
    with pytest.warns(FutureWarning, match='is called') as warned:
        config = BertMoeConfig(tiny_config(), **OLD)
    assert [str(w.message) for w in warned] == [
        "'experts_per_text' is called 'experts_per_token' now",
        "'expert_hidden' is called 'hidden_channels' now",
        "'balance_loss_weight' is called 'balance_weight' now",
    ]
    new = ('experts_per_token', 'hidden_channels', 'balance_weight')
    assert [getattr(config, name) for name in new] == [1, 8, 0.5]
    assert not OLD.keys() & config.to_dict().keys()
    # A file of an earlier version.
    config.save_pretrained(tmp_path)
    path = tmp_path / 'config.json'
    saved = json.loads(path.read_text())
    for name in new:
        del saved[name]
    path.write_text(json.dumps(saved | OLD))
    with pytest.warns(FutureWarning, match="called 'hidden_channels' now"):
        again = transformers.AutoConfig.from_pretrained(tmp_path)
    assert again.to_diff_dict() | OLD == config.to_diff_dict() | OLD
    with (
        pytest.warns(FutureWarning, match="called 'hidden_channels' now"),
        pytest.raises(ValueError, match="'hidden_channels' must be.*got 0"),
    ):
        BertMoeConfig(expert_hidden=0)


def test_both_names_of_a_setting(tmp_path):
    with pytest.raises(ValueError, match="'expert_hidden' must be left out"):
        BertMoeConfig.from_dict({'hidden_channels': 8, 'expert_hidden': 8})


def test_what_transformers_brings_is_accepted():
    config = BertMoeConfig(tiny_config(), num_experts=3, num_labels=5)
    brought = {
        **transformers.PretrainedConfig().to_dict(),
        **config.to_dict(),
        **config.to_diff_dict(),
        'torch_dtype': 'float16',
        'output_attentions': False,
        '_name_or_path': 'here',
        '_attn_implementation_autoset': True,
        'tokenizer_class': 'BertTokenizer',
        'pruned_heads': {},
        'use_cache': True,
        'pad_token_id': 0,
        'finetuning_task': None,
    }
    again = BertMoeConfig(**brought)
    assert (again.num_experts, again.num_labels) == (3, 5)
    assert again.to_diff_dict().keys() >= config.to_diff_dict().keys()


def test_files_of_other_versions_are_accepted(tmp_path):
    config = BertMoeConfig(tiny_config(), num_experts=3)
    config.save_pretrained(tmp_path)
    path = tmp_path / 'config.json'
    saved = json.loads(path.read_text())
    path.write_text(json.dumps({**saved, 'later': [1], 'top_k': 50}))
    for load in (BertMoeConfig, transformers.AutoConfig):
        again = load.from_pretrained(tmp_path)
        assert (again.num_experts, again.later) == (3, [1])
        again.save_pretrained(tmp_path / 'again')
        saved_again = json.loads(
            (tmp_path / 'again' / 'config.json').read_text()
        )
        assert saved_again == {**saved, 'later': [1]}


def test_settings_given_when_loading_are_looked_at(tmp_path):
    model = BertMoeForSequenceClassification(BertMoeConfig(tiny_config()))
    model.save_pretrained(tmp_path)
    for load in (
        BertMoeForSequenceClassification,
        transformers.AutoModelForSequenceClassification,
    ):
        assert load.from_pretrained(tmp_path, pooling='max')
        with pytest.raises(ValueError, match="'pooling' must be one of"):
            load.from_pretrained(tmp_path, pooling='sum')
        with pytest.raises(TypeError, match="'num_expert'"):
            load.from_pretrained(tmp_path, num_expert=8)
