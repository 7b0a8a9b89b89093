"""A tiny T5 with random weights, and a tokenizer of a few dialogues."""

import torch
from transformers import T5Config, T5ForConditionalGeneration

from gmoe.text import train_tokenizer
from gmoe.text.summaries.speakers import SPEAKER_TOKENS
from tests.text.summaries.dialogues import DIALOGUES, SUMMARIES


def tiny_tokenizer(vocab_size=400, **kwargs):
    texts = [*DIALOGUES, *SUMMARIES]
    return train_tokenizer(texts, vocab_size, SPEAKER_TOKENS, **kwargs)


def tiny_config(**kwargs):
    return T5Config(
        **{
            'vocab_size': 400,
            'd_model': 16,
            'd_kv': 8,
            'd_ff': 32,
            'num_layers': 1,
            'num_heads': 2,
            'dropout_rate': 0.0,
            'pad_token_id': 0,
            'eos_token_id': 1,
            'decoder_start_token_id': 0,
            **kwargs,
        }
    )


def tiny_t5(seed=0, **kwargs):
    torch.manual_seed(seed)
    return T5ForConditionalGeneration(tiny_config(**kwargs))
