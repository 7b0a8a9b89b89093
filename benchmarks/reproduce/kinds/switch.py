"""A run of a Switch Transformer, or a dense model, that is fine-tuned."""

from __future__ import annotations

import shutil
import time
from statistics import fmean
from typing import Any

import numpy as np
import torch
from transformers import set_seed

from benchmarks.common.memory import peak_memory, reset_peak_memory
from benchmarks.reproduce.job import Job
from benchmarks.reproduce.kinds.samsum_parts import Part, load_parts
from benchmarks.reproduce.kinds.switch_log import EpochLog, median_step
from benchmarks.reproduce.kinds.switch_start import start
from benchmarks.reproduce.kinds.switch_use import flops, use_of_experts
from gmoe.text import Summarizer, SummaryTraining, rouge_scores
from gmoe.text.summaries.rouge import ROUGE
from gmoe.text.summaries.speakers import SPEAKER_TOKENS

#: The most validation dialogues on which experts are counted by epoch.
_COUNTED = 128


def train(job: Job) -> dict[str, Any]:
    """Fine-tunes a model from its last checkpoint, or from the start.

    Returns:
        Its result: the scores of the validation and the test split, and how
        experts are used on the test split.
    """
    settings = job.run.cell.settings
    parts = load_parts(job.root, settings.get('quick', False))
    reset_peak_memory()
    set_seed(job.run.seed)
    model, tokenizer = start(settings)
    log = EpochLog(job.folder)
    summarizer = Summarizer(
        model, tokenizer, _training(job, tokenizer), callbacks=[log]
    )
    some = [texts[:_COUNTED] for texts in parts['validation']]
    log.count = lambda: use_of_experts(summarizer, *some)
    rows = _drawn(job, len(parts['train'][0]))
    train_on = [[texts[i] for i in rows] for texts in parts['train']]
    summarizer.fit(*train_on, validation=parts['validation'])
    epochs = log.read(settings['epochs'])
    if epochs is None:
        # Those of epochs before its checkpoint: it starts again.
        shutil.rmtree(job.checkpoints)
        return train(job)
    start_of_test = time.perf_counter()
    result = _tested(summarizer, parts['test'])
    seconds = time.perf_counter() - start_of_test
    valid = max(
        (line for line in summarizer.history if 'eval_rouge1' in line),
        key=lambda line: line['eval_rouge1'],
    )
    rouge = {
        'validation': {name: valid[f'eval_{name}'] for name in ROUGE},
        'test': result.pop('rouge'),
    }
    use = use_of_experts(summarizer, *parts['test'])
    return {
        'metric': 'rouge1',
        'valid': rouge['validation']['rouge1'] / 100,
        'test': rouge['test']['rouge1'] / 100,
        'num_parameters': sum(
            p.numel() for p in model.parameters() if p.requires_grad
        ),
        'rouge': rouge,
        'epoch': round(valid['epoch']),
        'summary_words': result['words'],
        'routing': use,
        'flops': flops(summarizer, use, *parts['test']),
        'epochs': [epoch.use for epoch in epochs],
        'measured': {
            'seconds': round(sum(e.seconds for e in epochs) + seconds, 3),
            'step_milliseconds': round(median_step(epochs), 3),
            'dialogue_milliseconds': round(result['milliseconds'], 3),
            'peak_memory': peak_memory(),
        },
    }


def _drawn(job: Job, count: int) -> list[int]:
    # Other dialogues to train on with each seed.
    random = np.random.default_rng(job.run.seed)
    return random.permutation(count)[: job.run.cell.settings['rows']].tolist()


def _training(job: Job, tokenizer: Any) -> SummaryTraining:
    settings = job.run.cell.settings
    has_tokens = SPEAKER_TOKENS[0] in tokenizer.get_vocab()
    is_on_cpu = job.accelerator == 'cpu' or not torch.cuda.is_available()
    return SummaryTraining(
        epochs=settings['epochs'],
        batch_size=settings['batch_size'],
        learning_rate=settings['learning_rate'],
        warmup=0.05,
        max_input_tokens=384 if has_tokens else 512,
        # The small model has learned to write these.
        speakers='tokens' if has_tokens else 'names',
        prefix='' if has_tokens else 'summarize: ',
        seed=job.run.seed,
        checkpoints=job.checkpoints,
        arguments={'use_cpu': is_on_cpu},
    )


def _tested(summarizer: Summarizer, test: Part) -> dict[str, Any]:
    dialogues, references = test
    started = time.perf_counter()
    summaries = summarizer.summarize(dialogues, batch_size=32)
    seconds = time.perf_counter() - started
    return {
        'rouge': rouge_scores(summaries, references),
        'words': fmean(len(text.split()) for text in summaries),
        'milliseconds': 1000 * seconds / len(dialogues),
    }
