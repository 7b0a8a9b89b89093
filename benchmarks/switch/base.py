"""Makes the small dense model that the study of Switch Transformers starts
from.

    python -m benchmarks.switch.base

A tokenizer of the training split of SAMSum, a T5 that is pre-trained on its
dialogues to fill holes, and then trained to summarise them; the best epoch is
chosen on the validation split. Speakers have tokens in place of their names.
Interrupt it anywhere: it goes on from the last checkpoint. What it leaves are
folders as transformers reads them, in half precision: the pre-trained model,
which is taken where it is there, and beside it the one that summarises.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, T5ForConditionalGeneration
from transformers.models.t5.modeling_t5 import T5Attention

from benchmarks.common.memory import keep_freed_memory
from benchmarks.common.options import at_least_one, run
from benchmarks.common.place import data_root
from benchmarks.common.record import ROOT, provenance, write_json
from benchmarks.reproduce.kinds.samsum_parts import Part
from benchmarks.reproduce.kinds.switch_place import SMALL
from benchmarks.switch.denoising import MASK_TOKEN
from benchmarks.switch.pretraining import pretrain
from gmoe.datasets import SAMSum
from gmoe.text import Summarizer, SummaryTraining, train_tokenizer
from gmoe.text.summaries.speakers import SPEAKER_TOKENS, Speakers

VOCAB_SIZE = 6000
RUNS = ROOT / 'runs' / 'switch'


def main(
    root: Path | None = None,
    output: Path = SMALL,
    runs: Path = RUNS,
    rows: int | None = None,
    pretraining_epochs: int = 6,
    epochs: int = 4,
    threads: int = 1,
    seed: int = 0,
) -> None:
    """Makes the model.

    Args:
        root: The folder of SAMSum. (default: ``samsum`` below the environment
            variable ``GMOE_DATA_ROOT``, or ``data``)
        output: The folder of the model; the pre-trained one is
            ``pretrained`` beside it.
        runs: The folder of what is done already.
        rows: The most dialogues of each split. (default: all)
        pretraining_epochs: The number of epochs in which holes are filled.
        epochs: The number of epochs in which summaries are learned.
        threads: The number of threads.
        seed: The seed.
    """
    at_least_one(
        pretraining_epochs=pretraining_epochs, epochs=epochs, threads=threads
    )
    torch.set_num_threads(threads)
    keep_freed_memory()
    root = root or data_root('samsum')
    train, validation = (
        _part(root, split, rows) for split in ('train', 'validation')
    )
    folder = output.with_name('pretrained')
    if not (folder / 'made.json').exists():
        _pretrain(train, runs, folder, pretraining_epochs, seed)
    summarizer = Summarizer(
        _pretrained(folder),
        AutoTokenizer.from_pretrained(folder),
        SummaryTraining(
            epochs=epochs,
            batch_size=32,
            learning_rate=1e-3,
            warmup=0.05,
            label_smoothing=0.1,
            max_input_tokens=384,
            speakers='tokens',
            seed=seed,
            checkpoints=runs / 'checkpoints',
            arguments={'bf16': True, 'use_cpu': not torch.cuda.is_available()},
        ),
    )
    summarizer.fit(*train, validation=validation)
    scores = [line for line in summarizer.history if 'eval_rouge1' in line]
    _save(summarizer.model, summarizer.tokenizer, output, epochs=scores)


def _pretrained(folder: Path) -> T5ForConditionalGeneration:
    model = T5ForConditionalGeneration.from_pretrained(
        folder, dropout_rate=0.1, dtype=torch.float32
    )
    for module in model.modules():
        if isinstance(module, T5Attention):
            # Of its weights, one for each pair of tokens: a third of a step.
            module.dropout = 0.0
    return model


def _part(root: Path, split: str, rows: int | None) -> Part:
    data = SAMSum(root, split)
    return data.dialogues[:rows], data.summaries[:rows]


def _pretrain(
    train: Part, runs: Path, folder: Path, epochs: int, seed: int
) -> None:
    speakers = [Speakers.of(dialogue) for dialogue in train[0]]
    dialogues, summaries = (
        [each.hide(text) for each, text in zip(speakers, texts)]
        for texts in train
    )
    tokenizer = train_tokenizer(
        [*dialogues, *summaries],
        VOCAB_SIZE,
        [*SPEAKER_TOKENS, MASK_TOKEN],
        lowercase=True,
    )
    model = pretrain(
        tokenizer, dialogues, runs / 'pretraining', epochs, seed=seed
    )
    _save(model, tokenizer, folder)


def _save(model: Any, tokenizer: Any, folder: Path, **results: Any) -> None:
    model.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    # Last, as it says that all of it is there.
    write_json(folder / 'made.json', {**results, **provenance()})


if __name__ == '__main__':
    try:
        run(main)
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f'benchmarks.switch.base: error: {error}')
