"""A tiny BERT with random weights, and its tokenizer, in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import BertConfig, BertModel, BertTokenizer

WORDS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']
WORDS += ['crew', 'moon', 'river', 'water', 'of', 'the']


def tiny_config(**kwargs: Any) -> BertConfig:
    """Its configuration.

    Args:
        **kwargs: More settings.
    """
    return BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=128,
        **kwargs,
    )


def write_tiny_bert(folder: Path) -> str:
    """Writes it and its tokenizer."""
    folder.mkdir(exist_ok=True)
    (folder / 'vocab.txt').write_text('\n'.join(WORDS) + '\n')
    tokenizer = BertTokenizer.from_pretrained(folder)
    tokenizer.save_pretrained(folder)
    BertModel(tiny_config()).save_pretrained(folder)
    return str(folder)
