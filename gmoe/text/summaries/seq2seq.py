"""A model and a tokenizer, looked at before they summarize."""

from __future__ import annotations

from typing import Any

import torch

from gmoe.common.require import require
from gmoe.common.shown import shown
from gmoe.text.summaries.speakers import SPEAKER_TOKENS
from gmoe.text.summaries.training import SummaryTraining

require('transformers')

from tokenizers import AddedToken  # noqa: E402
from transformers import (  # noqa: E402
    PreTrainedModel,
    PreTrainedTokenizerBase,
)


def is_adapted(model: Any) -> bool:
    """Whether a model is one of PEFT, with an adapter.

    Args:
        model: The model.
    """
    # Without PEFT, there is none.
    return hasattr(model, 'peft_config') and hasattr(model, 'get_base_model')


def check_seq2seq(model: Any, tokenizer: Any, settings: Any) -> None:
    """Refuses a model that cannot write a text for a text, and a tokenizer
    that is not of it.

    Args:
        model: The model.
        tokenizer: The tokenizer.
        settings: The settings, with the most tokens of an input and of a
            summary.

    Raises:
        ValueError: If one is refused, or the model has fewer positions than
            there may be tokens.
    """
    if not isinstance(settings, SummaryTraining):
        raise ValueError(
            f"'settings' must be a SummaryTraining, got {shown(settings)}"
        )
    base = model.get_base_model() if is_adapted(model) else model
    config = getattr(base, 'config', None)
    if (
        not isinstance(base, PreTrainedModel)
        or not getattr(config, 'is_encoder_decoder', False)
        or not hasattr(base, 'prepare_decoder_input_ids_from_labels')
    ):
        raise ValueError(
            "'model' must be a model of transformers with an encoder and a "
            'decoder that writes text, such as '
            'T5ForConditionalGeneration, or one of PEFT around it, got '
            f'{shown(type(model).__name__)}'
        )
    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        raise ValueError(
            "'tokenizer' must be a tokenizer of transformers, got "
            f'{shown(type(tokenizer).__name__)}'
        )
    for name in ('pad_token_id', 'eos_token_id'):
        wanted, got = getattr(config, name, None), getattr(tokenizer, name)
        if got is None or got != wanted:
            raise ValueError(
                f"'tokenizer' must have the {name!r} of the model, {wanted}, "
                f'got {got}'
            )
    positions = getattr(config, 'max_position_embeddings', None)
    for name in ('max_input_tokens', 'max_summary_tokens'):
        most = getattr(settings, name)
        if isinstance(positions, int) and most > positions:
            raise ValueError(
                f"'{name}' must be at most {positions}, the number of "
                f'positions of the model, got {most}'
            )


def make_room(model: Any, tokenizer: Any, speakers: str, seed: int) -> None:
    """Has a tokenizer keep the tokens of speakers whole where they are asked
    for, and a model have a vector for each token.

    Args:
        model: The model.
        tokenizer: The tokenizer.
        speakers: :obj:`"names"` or :obj:`"tokens"`.
        seed: The seed of the new vectors.

    Raises:
        ValueError: If the model has an adapter and too few vectors: there,
            they would not be trained.
    """
    if speakers == 'tokens':
        # No special ones, which would be left out of what is written.
        tokenizer.add_tokens(
            [AddedToken(token, normalized=False) for token in SPEAKER_TOKENS]
        )
    rows = model.get_input_embeddings().weight.size(0)  # With an adapter, too.
    most = max(tokenizer.get_vocab().values()) + 1
    if rows >= most:
        return
    if is_adapted(model):
        raise ValueError(
            "'model' must have a vector for each of the tokenizer's "
            f'{most} tokens before it gets an adapter, got {rows}: resize it '
            'with model.resize_token_embeddings first'
        )
    if speakers == 'names':
        raise ValueError(
            f"'tokenizer' must be that of the model, which knows {rows} "
            f'tokens, got one of {most}'
        )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model.resize_token_embeddings(most)
