"""Pre-trains a small T5 on the dialogues of SAMSum, from nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import (
    DataCollatorForSeq2Seq,
    PreTrainedTokenizerBase,
    Seq2SeqTrainer,
    Seq2SeqTrainingArguments,
    T5Config,
    T5ForConditionalGeneration,
    set_seed,
)
from transformers.trainer_utils import get_last_checkpoint

from benchmarks.switch.denoising import MASK_TOKEN, Denoising

#: The dense model: 4.4 million parameters.
SIZES: dict[str, Any] = {
    'd_model': 192,
    'd_kv': 48,
    'num_heads': 4,
    'd_ff': 768,
    'num_layers': 3,
    'num_decoder_layers': 3,
}
#: The most tokens of a dialogue.
MAX_TOKENS = 256


def pretrain(
    tokenizer: PreTrainedTokenizerBase,
    dialogues: Sequence[str],
    folder: Path,
    epochs: int,
    batch_size: int = 32,
    learning_rate: float = 1e-3,
    seed: int = 0,
) -> T5ForConditionalGeneration:
    """Pre-trains a model, from its last checkpoint if there is one.

    Args:
        tokenizer: The tokenizer, with the token of a hole.
        dialogues: The dialogues, with tokens for speakers.
        folder: The folder of checkpoints.
        epochs: The number of epochs.
        batch_size: The number of dialogues of a step.
        learning_rate: The highest learning rate.
        seed: The seed of weights, order and holes.
    """
    set_seed(seed)
    ids = tokenizer(
        list(dialogues),
        add_special_tokens=False,
        max_length=MAX_TOKENS,
        truncation=True,
    )['input_ids']
    model = T5ForConditionalGeneration(_config(tokenizer))
    trainer = Seq2SeqTrainer(
        model=model,
        args=_arguments(folder, batch_size, learning_rate, seed),
        train_dataset=Denoising(
            ids,
            epochs,
            tokenizer.convert_tokens_to_ids(MASK_TOKEN),
            tokenizer.eos_token_id,
            seed=seed,
        ),
        data_collator=DataCollatorForSeq2Seq(tokenizer),
    )
    last = get_last_checkpoint(str(folder)) if folder.is_dir() else None
    trainer.train(resume_from_checkpoint=last)
    return model


def _config(tokenizer: PreTrainedTokenizerBase) -> T5Config:
    return T5Config(
        vocab_size=len(tokenizer),
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        decoder_start_token_id=tokenizer.pad_token_id,
        feed_forward_proj='relu',
        dropout_rate=0.0,  # What follows has its own.
        **SIZES,
    )


def _arguments(
    folder: Path, batch_size: int, learning_rate: float, seed: int
) -> Seq2SeqTrainingArguments:
    return Seq2SeqTrainingArguments(
        output_dir=str(folder),
        num_train_epochs=1,  # The data holds all epochs.
        per_device_train_batch_size=batch_size,
        learning_rate=learning_rate,
        warmup_steps=0.05,
        lr_scheduler_type='cosine',
        weight_decay=0.01,
        bf16=True,
        use_cpu=not torch.cuda.is_available(),
        seed=seed,
        data_seed=seed,
        train_sampling_strategy='group_by_length',
        logging_steps=50,
        save_steps=250,
        save_total_limit=1,
        report_to='none',
        disable_tqdm=True,
    )
