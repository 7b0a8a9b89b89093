"""Graphs of triples as text, text classifiers, and Switch Transformers.

The models need the extra ``text``. What needs transformers is imported at its
first use; that also registers the models with ``AutoConfig`` and
``AutoModelForSequenceClassification`` or ``AutoModelForSeq2SeqLM``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gmoe.common.lazy import lazy
from gmoe.text.classifier import TextClassifier
from gmoe.text.linearize import (
    SPECIAL_TOKENS,
    add_special_tokens,
    linearize,
    normalize_name,
)
from gmoe.text.metrics import classification_scores
from gmoe.text.offline import offline_encoder
from gmoe.text.summaries.rouge import rouge_scores
from gmoe.text.tfidf import TfidfClassifier

if TYPE_CHECKING:
    from gmoe.text.bert_classifiers import BertClassifier, BertMoeClassifier
    from gmoe.text.bert_moe import (
        BertMoeForSequenceClassification,
        BertMoeOutput,
    )
    from gmoe.text.bert_moe_config import BertMoeConfig
    from gmoe.text.fine_tuning import FineTuning
    from gmoe.text.summaries.summarizer import Summarizer
    from gmoe.text.summaries.tokenizer import train_tokenizer
    from gmoe.text.summaries.training import SummaryTraining
    from gmoe.text.switch.config import SwitchMoeConfig
    from gmoe.text.switch.flops import StackFlops, SwitchFlops, switch_flops
    from gmoe.text.switch.lora import lora
    from gmoe.text.switch.model import SwitchMoeForConditionalGeneration
    from gmoe.text.switch.report import (
        ExpertUse,
        RoutingReport,
        routing_report,
    )

__all__ = [
    'SPECIAL_TOKENS',
    'BertClassifier',
    'BertMoeClassifier',
    'BertMoeConfig',
    'BertMoeForSequenceClassification',
    'BertMoeOutput',
    'ExpertUse',
    'FineTuning',
    'RoutingReport',
    'Summarizer',
    'SummaryTraining',
    'StackFlops',
    'SwitchFlops',
    'SwitchMoeConfig',
    'SwitchMoeForConditionalGeneration',
    'TextClassifier',
    'TfidfClassifier',
    'add_special_tokens',
    'classification_scores',
    'linearize',
    'lora',
    'normalize_name',
    'offline_encoder',
    'rouge_scores',
    'routing_report',
    'switch_flops',
    'train_tokenizer',
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        'BertClassifier': 'gmoe.text.bert_classifiers',
        'BertMoeClassifier': 'gmoe.text.bert_classifiers',
        'BertMoeConfig': 'gmoe.text.bert_moe',
        'BertMoeForSequenceClassification': 'gmoe.text.bert_moe',
        'BertMoeOutput': 'gmoe.text.bert_moe',
        'ExpertUse': 'gmoe.text.switch.report',
        'FineTuning': 'gmoe.text.fine_tuning',
        'RoutingReport': 'gmoe.text.switch.report',
        'Summarizer': 'gmoe.text.summaries.summarizer',
        'SummaryTraining': 'gmoe.text.summaries.training',
        'StackFlops': 'gmoe.text.switch.flops',
        'SwitchFlops': 'gmoe.text.switch.flops',
        'SwitchMoeConfig': 'gmoe.text.switch.model',
        'SwitchMoeForConditionalGeneration': 'gmoe.text.switch.model',
        'lora': 'gmoe.text.switch.lora',
        'routing_report': 'gmoe.text.switch.report',
        'switch_flops': 'gmoe.text.switch.flops',
        'train_tokenizer': 'gmoe.text.summaries.tokenizer',
    },
)
