"""Graphs of triples as text, and text classifiers.

The models need the extra ``text``. What needs transformers is imported at its
first use; that also registers the model with ``AutoConfig`` and
``AutoModelForSequenceClassification``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gmoe.text.classifier import TextClassifier
from gmoe.text.linearize import (
    SPECIAL_TOKENS,
    add_special_tokens,
    linearize,
    normalize_name,
)
from gmoe.text.metrics import classification_scores
from gmoe.text.offline import offline_encoder
from gmoe.text.tfidf import TfidfClassifier

if TYPE_CHECKING:
    from gmoe.text.bert_moe import (
        BertMoeForSequenceClassification,
        BertMoeOutput,
    )
    from gmoe.text.bert_moe_config import BertMoeConfig
    from gmoe.text.fine_tuning import FineTuning
    from gmoe.text.finetune import BertClassifier, BertMoeClassifier

__all__ = [
    'SPECIAL_TOKENS',
    'BertClassifier',
    'BertMoeClassifier',
    'BertMoeConfig',
    'BertMoeForSequenceClassification',
    'BertMoeOutput',
    'FineTuning',
    'TextClassifier',
    'TfidfClassifier',
    'add_special_tokens',
    'classification_scores',
    'linearize',
    'normalize_name',
    'offline_encoder',
]

_LAZY = {
    'BertClassifier': 'finetune',
    'BertMoeClassifier': 'finetune',
    'BertMoeConfig': 'bert_moe',
    'BertMoeForSequenceClassification': 'bert_moe',
    'BertMoeOutput': 'bert_moe',
    'FineTuning': 'fine_tuning',
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    value = getattr(import_module(f'{__name__}.{_LAZY[name]}'), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
