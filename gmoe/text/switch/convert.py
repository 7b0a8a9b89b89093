"""Settings and weights of a mixture, of those of a pretrained model."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

from torch import Tensor

from gmoe.common.arguments import check_choice, check_integer
from gmoe.common.noise import disturbed
from gmoe.common.require import require
from gmoe.text.checks import check_names
from gmoe.text.switch.config import SwitchMoeConfig, moe_layers

require('transformers')

from transformers import (  # noqa: E402
    PreTrainedModel,
    SwitchTransformersConfig,
)

#: How the same parameters are called here and there.
_SCORE, _SWITCH_SCORE = 'router.score_gate.weight', 'router.classifier.weight'
_EXPERTS, _T5_DENSE = 'mlp', 'DenseReluDense'

#: The settings that no weight depends on, or all of a new kind.
_FREE = {
    'dropout_rate',
    *inspect.signature(SwitchMoeConfig.__init__).parameters,
} - {'self', 'kwargs'}

#: What a Switch Transformer has, and a T5 too, and what they keep beside it.
_SHARED = {
    *(field.name for field in dataclasses.fields(SwitchTransformersConfig)),
    'decoder_start_token_id',
}


def switch_config(source: PreTrainedModel, **settings: Any) -> SwitchMoeConfig:
    """The settings of a Switch Transformer with another router.

    Args:
        source: The ``SwitchTransformersForConditionalGeneration``.
        **settings: What takes the place of its own.

    Raises:
        ValueError: If a setting does not exist, is out of range, or is one
            that the weights decide on.
    """
    fixed = {'num_experts', 'encoder_moe_layers', 'decoder_moe_layers'}
    check_names('settings', settings, _FREE - fixed)
    for stack in (source.encoder, source.decoder):
        role = 'decoder' if stack.is_decoder else 'encoder'
        settings[f'{role}_moe_layers'] = [
            index for index, block in enumerate(stack.block) if block.is_sparse
        ]
    return SwitchMoeConfig(**{**_settings_of(source), **settings})


def check_keep_scores(
    source: PreTrainedModel, config: SwitchMoeConfig, keep: bool | None
) -> bool:
    """Whether the scores of the pretrained router are kept.

    Args:
        source: The ``SwitchTransformersForConditionalGeneration``.
        config: The settings of the mixture.
        keep: Whether they shall be; :obj:`None` keeps them where it can.

    Raises:
        ValueError: If they shall be and cannot.
    """
    check_choice('keep_scores', keep, (None, False, True))
    is_linear = config.router.startswith('linear')
    if keep and not is_linear:
        raise ValueError(
            "'keep_scores' must be False or None for the router "
            f'{config.router!r}, which has no linear scores, got True'
        )
    keep = is_linear if keep is None else keep
    if keep and source.config.router_bias:
        raise ValueError(
            "'keep_scores' must be False where the pretrained router has a "
            "bias (router_bias), which gmoe's routers have not, got True"
        )
    return keep


def switch_weights(
    source: PreTrainedModel, keep_scores: bool
) -> dict[str, Tensor]:
    """The weights of a Switch Transformer by the names that they have here.

    Args:
        source: The ``SwitchTransformersForConditionalGeneration``.
        keep_scores: Whether those of the router are among them.
    """
    weights = {}
    for name, value in source.state_dict().items():
        if '.router.' not in name:
            weights[name] = value
        elif keep_scores and name.endswith(_SWITCH_SCORE):
            name = name.replace(_SWITCH_SCORE, _SCORE)
            weights[name] = value.t().contiguous()
    return weights


def t5_config(
    source: PreTrainedModel, step: int, **settings: Any
) -> SwitchMoeConfig:
    """The settings of a mixture made of a T5.

    Args:
        source: The ``T5ForConditionalGeneration``.
        step: Every how many layers there is a mixture.
        **settings: What takes the place of its own.

    Raises:
        ValueError: If the T5 has gates, or a setting does not exist or is out
            of range.
    """
    check_integer(1, step=step)
    check_names('settings', settings, _FREE)
    own = source.config
    if own.is_gated_act or not getattr(own, 'scale_decoder_outputs', True):
        raise ValueError(
            "'source' must be a T5 of the first version, whose feed-forward "
            'networks have no gate, got one with feed_forward_proj='
            f'{own.feed_forward_proj!r}'
        )
    for stack in (source.encoder, source.decoder):
        role = 'decoder' if stack.is_decoder else 'encoder'
        if settings.get(f'{role}_moe_layers') is None:
            layers = moe_layers(len(stack.block), step)
            settings[f'{role}_moe_layers'] = layers
    settings['dense_act_fn'] = own.dense_act_fn
    return SwitchMoeConfig(**{**_settings_of(source), **settings})


def t5_weights(
    source: PreTrainedModel, config: SwitchMoeConfig, noise: float
) -> dict[str, Tensor]:
    """The weights of a T5 by the names that they have here, with copies of
    those of its feed-forward networks for each expert.

    Args:
        source: The ``T5ForConditionalGeneration``.
        config: The settings of the mixture.
        noise: The standard deviation of what is added to each expert's
            weights, over that of the weights.
    """
    layers = {
        'encoder': config.encoder_moe_layers or [],
        'decoder': config.decoder_moe_layers or [],
    }
    weights = {}
    for name, value in source.state_dict().items():
        if f'.{_T5_DENSE}.' not in name:
            weights[name] = value
            continue
        # Such as encoder.block.1.layer.1.DenseReluDense.wi.weight.
        stack, _, index = name.split('.')[:3]
        head, tail = name.split(_T5_DENSE)
        if int(index) not in layers[stack]:
            weights[f'{head}{_EXPERTS}{tail}'] = value
            continue
        for expert in range(config.num_experts):
            name = f'{head}{_EXPERTS}.experts.expert_{expert}{tail}'
            weights[name] = disturbed(value, noise)
    return weights


def _settings_of(source: PreTrainedModel) -> dict[str, Any]:
    found = source.config.to_dict()
    return {k: v for k, v in found.items() if k in _SHARED}
