"""A pretrained encoder and its tokenizer, looked at before they are used."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from gmoe.common.require import require
from gmoe.text.folder import first_line, folder_fault

require('transformers')

from transformers import (  # noqa: E402
    MODEL_MAPPING,
    AutoConfig,
    AutoModel,
    AutoTokenizer,
    PretrainedConfig,
)

_WANTED = (
    "'encoder' must be the name of an encoder on the hub, or a folder with "
    'its config.json, its weights in safetensors and its tokenizer'
)


def refuse(encoder: str, why: str) -> ValueError:
    """The error for an encoder that cannot be used.

    Args:
        encoder: The encoder's name or folder.
        why: The reason.
    """
    return ValueError(f"{_WANTED}, got '{encoder}': {why}")


def check_encoder(encoder: str) -> PretrainedConfig:
    """The configuration of an encoder that can be used.

    Args:
        encoder: The encoder's name on the hub or its folder.

    Raises:
        ValueError: If it cannot be found or read, is no encoder of texts, or
            has its weights in a pickle only.
    """
    fault = folder_fault(encoder)
    if fault is not None:
        raise refuse(encoder, fault)
    try:
        # Code that comes with a model is never run.
        config = AutoConfig.from_pretrained(encoder, trust_remote_code=False)
    except Exception as error:
        raise refuse(encoder, first_line(error)) from error
    if (
        type(config) not in MODEL_MAPPING
        or getattr(config, 'is_encoder_decoder', False)
        or not hasattr(config, 'vocab_size')
        or not hasattr(config, 'hidden_size')
    ):
        raise refuse(
            encoder,
            f'its architecture {config.model_type!r} is no encoder of texts',
        )
    return config


def load_tokenizer(encoder: str) -> Any:
    """The tokenizer of an encoder.

    Args:
        encoder: The encoder's name on the hub or its folder.

    Raises:
        ValueError: If there is none, or it has no token for padding.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            encoder, trust_remote_code=False
        )
    except Exception as error:
        raise refuse(
            encoder, f'its tokenizer cannot be read: {first_line(error)}'
        ) from error
    # Without its files, one that knows no word is made.
    if not set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens):
        raise refuse(encoder, 'it has no tokenizer')
    if tokenizer.pad_token is None:
        raise refuse(encoder, 'its tokenizer has no token for padding')
    return tokenizer


def check_weights(encoder: str, missing: set[str], prefix: str = '') -> None:
    """Refuses an encoder of which a part was drawn at random because its file
    does not have it; only the pooler may be missing.

    Args:
        encoder: The encoder's name or folder.
        missing: The parameters that its file did not have.
        prefix: What the names of the encoder's own parameters begin with.

    Raises:
        ValueError: If another one is missing.
    """
    lost = sorted(
        name
        for name in missing
        if name.startswith(prefix) and 'pooler' not in name.split('.')
    )
    if lost:
        raise refuse(
            encoder,
            f'its weights are of another architecture: {len(lost)} '
            f'parameters are missing, the first being {lost[0]!r}',
        )


def check_max_length(config: PretrainedConfig, max_length: int) -> None:
    """Refuses texts of more tokens than the encoder has positions.

    Args:
        config: The encoder's configuration.
        max_length: The most tokens of a text.

    Raises:
        ValueError: If there are more.
    """
    limit = num_positions(config)
    if limit is not None and max_length > limit:
        raise ValueError(
            f"'max_length' must be at most {limit}, the number of positions "
            f'of the encoder, got {max_length}'
        )


def num_positions(config: PretrainedConfig) -> int | None:
    """The most tokens that an encoder can read; :obj:`None` for no bound.

    Args:
        config: The encoder's configuration.
    """
    limit = getattr(config, 'max_position_embeddings', None)
    if not isinstance(limit, int) or limit < 1:
        return None
    with torch.device('meta'):
        encoder = AutoModel.from_config(config)
    for name, module in encoder.named_modules():
        if name.endswith('position_embeddings') and isinstance(
            module, nn.Embedding
        ):
            # Those of RoBERTa begin after that of padding.
            first = module.padding_idx
            return limit if first is None else limit - first - 1
    return limit
