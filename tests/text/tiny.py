"""A tiny BERT with random weights, and its tokenizer, in a folder."""

from benchmarks.reliability.tiny_bert import (
    WORDS,
    tiny_config,
    write_tiny_bert,
)

__all__ = ['WORDS', 'tiny_config', 'write_tiny_bert']
