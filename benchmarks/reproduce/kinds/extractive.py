"""A run without a model: turns of a dialogue as its summary."""

from __future__ import annotations

import time
from statistics import fmean
from typing import Any

from benchmarks.common.memory import peak_memory, reset_peak_memory
from benchmarks.reproduce.job import Job
from benchmarks.reproduce.kinds.samsum_parts import load_parts
from gmoe.text.summaries.baselines import lead, longest, textrank
from gmoe.text.summaries.rouge import rouge_scores

METHODS = {'lead': lead, 'longest': longest, 'textrank': textrank}
NUM_TURNS = 3


def train(job: Job) -> dict[str, Any]:
    """Takes three turns of each dialogue.

    Returns:
        The scores of the validation and the test split.
    """
    settings = job.run.cell.settings
    summarise = METHODS[settings['method']]
    parts = load_parts(job.root, settings.get('quick', False))
    reset_peak_memory()
    rouge = {}
    for split in ('validation', 'test'):
        dialogues, references = parts[split]
        start = time.perf_counter()
        summaries = [summarise(text, NUM_TURNS) for text in dialogues]
        seconds = time.perf_counter() - start
        rouge[split] = rouge_scores(summaries, references)
    return {
        'metric': 'rouge1',
        'valid': rouge['validation']['rouge1'] / 100,
        'test': rouge['test']['rouge1'] / 100,
        'num_parameters': 0,
        'rouge': rouge,
        'summary_words': fmean(len(text.split()) for text in summaries),
        'routing': None,
        'flops': None,
        'epochs': [],
        'measured': {
            'seconds': round(seconds, 3),
            'step_milliseconds': None,
            'dialogue_milliseconds': 1000 * seconds / len(dialogues),
            'peak_memory': peak_memory(),
        },
    }
