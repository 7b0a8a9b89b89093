"""Summaries of dialogues: models, scores, and the simplest baselines.

The models need the extra ``text``. What needs transformers is imported at its
first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gmoe.common.lazy import lazy
from gmoe.text.summaries.baselines import lead, longest, textrank
from gmoe.text.summaries.rouge import rouge_of_each, rouge_scores

if TYPE_CHECKING:
    from gmoe.text.summaries.summarizer import Summarizer
    from gmoe.text.summaries.tokenizer import train_tokenizer
    from gmoe.text.summaries.training import SummaryTraining

__all__ = [
    'Summarizer',
    'SummaryTraining',
    'lead',
    'longest',
    'rouge_of_each',
    'rouge_scores',
    'textrank',
    'train_tokenizer',
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        'Summarizer': 'gmoe.text.summaries.summarizer',
        'SummaryTraining': 'gmoe.text.summaries.training',
        'train_tokenizer': 'gmoe.text.summaries.tokenizer',
    },
)
