"""Tokens that a model writes, for dialogues of all lengths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch


@torch.no_grad()
def generate(
    model: Any,
    tokenizer: Any,
    rows: Sequence[dict[str, Any]],
    batch_size: int,
    max_tokens: int,
    num_beams: int,
) -> list[list[int]]:
    """The tokens that a model writes for each input, without what a decoder
    starts from and without padding.

    Args:
        model: The model, which is in evaluation mode meanwhile.
        tokenizer: Its tokenizer.
        rows: The inputs, as tokens.
        batch_size: The most inputs at once, of similar lengths.
        max_tokens: The most tokens of an output, its end included.
        num_beams: The beams of the search.
    """
    lengths = [len(row['input_ids']) for row in rows]
    # The longest first: if memory does not suffice, that is seen at once.
    order = sorted(range(len(rows)), key=lambda i: -lengths[i])
    out: list[list[int]] = [[] for _ in rows]
    was_training = model.training
    model.eval()
    try:
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            batch = tokenizer.pad(
                {
                    key: [rows[i][key] for i in chosen]
                    for key in ('input_ids', 'attention_mask')
                },
                return_tensors='pt',
            ).to(model.device)
            tokens = model.generate(
                input_ids=batch['input_ids'],
                attention_mask=batch['attention_mask'],
                max_length=max_tokens + 1,
                num_beams=num_beams,
                do_sample=False,
            )
            for i, written in zip(chosen, tokens.tolist()):
                out[i] = _without_padding(
                    written[1:], tokenizer.eos_token_id, tokenizer.pad_token_id
                )
    finally:
        model.train(was_training)
    return out


def _without_padding(tokens: list[int], end: int, pad: int) -> list[int]:
    if end in tokens:
        return tokens[: tokens.index(end) + 1]
    while tokens and tokens[-1] == pad:
        tokens.pop()
    return tokens
