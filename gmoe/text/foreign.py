"""The settings that transformers brings to every configuration."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

from gmoe.common.require import require

require('transformers')

from transformers import GenerationConfig, PretrainedConfig  # noqa: E402

#: Of generating text: older files have them in the configuration.
GENERATION = set(GenerationConfig().to_dict())

#: What transformers brings, as its present and its older versions name it.
FOREIGN = {
    *(set(PretrainedConfig().to_dict()) - GENERATION),
    *inspect.signature(PretrainedConfig.__init__).parameters,
    'add_cross_attention',
    'attn_implementation',
    'auto_map',
    'bos_token_id',
    'cross_attention_hidden_size',
    'decoder_start_token_id',
    'eos_token_id',
    'experts_implementation',
    'finetuning_task',
    'is_decoder',
    'model_type',
    'name_or_path',
    'num_labels',
    'output_attentions',
    'pad_token_id',
    'per_layer_config',
    'prefix',
    'pruned_heads',
    'quantization_config',
    'sep_token_id',
    'task_specific_params',
    'tf_legacy_loss',
    'tie_encoder_decoder',
    'tie_word_embeddings',
    'tokenizer_class',
    'torch_dtype',
    'torchscript',
    'use_bfloat16',
    'use_cache',
    'use_return_dict',
} - {'self', 'args', 'kwargs'}


def unknown_names(names: Iterable[str], own: Iterable[str]) -> list[str]:
    """The names of settings that neither a model nor transformers has.

    Args:
        names: The names that are given.
        own: The names of the model's own settings.
    """
    known = {*own, *FOREIGN}
    # What begins with an underscore is transformers' own.
    return [n for n in names if n not in known and not n.startswith('_')]


def split_foreign(
    settings: dict[str, Any], own: Iterable[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings in a file that are known, and those that another version
    may have written.

    Args:
        settings: The settings in the file.
        own: The names of the model's own settings.
    """
    foreign = {name: settings[name] for name in unknown_names(settings, own)}
    return {k: v for k, v in settings.items() if k not in foreign}, foreign


def keep_foreign(config: PretrainedConfig, foreign: dict[str, Any]) -> None:
    """Keeps settings that are not known, but for those of generating text.

    Args:
        config: The configuration, which is changed.
        foreign: The settings.
    """
    for name, value in foreign.items():
        if name not in GENERATION:
            setattr(config, name, value)
