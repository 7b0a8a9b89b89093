"""Text models: TF-IDF, and pretrained encoders with two heads."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from transformers import TrainerCallback

from benchmarks.common.record import write_json
from benchmarks.webnlg.data import NUMBER, Parts
from benchmarks.webnlg.records import Epoch, Run, routing_by_category, to_json
from gmoe.datasets.webnlg import CATEGORIES
from gmoe.text import (
    BertClassifier,
    BertMoeClassifier,
    FineTuning,
    TextClassifier,
    TfidfClassifier,
    classification_scores,
    linearize,
)

#: Model: the classifier, and which triples it reads.
MODELS = {
    'tfidf-first': ('tfidf', 'first'),
    'tfidf-all': ('tfidf', 'all'),
    'tfidf-plain-first': ('tfidf-plain', 'first'),
    'tfidf-plain-all': ('tfidf-plain', 'all'),
    'bert-all': ('bert', 'all'),
    'bert-moe-all': ('bert-moe', 'all'),
    'bert-first': ('bert', 'first'),
    'bert-moe-first': ('bert-moe', 'first'),
}

#: What :mod:`.tfidf_selection` chose, and scikit-learn's defaults.
TFIDF: dict[str, dict[str, Any]] = {
    'tfidf': {
        'token_pattern': r'[^\W_]+',
        'max_ngram': 1,
        'sublinear_tf': True,
        'regularization': 10.0,
    },
    'tfidf-plain': {
        'token_pattern': r'(?u)\b\w\w+\b',
        'max_ngram': 1,
        'sublinear_tf': False,
        'regularization': 1.0,
    },
}

#: The head of the published experiment, where it has one.
HEADS: dict[str, dict[str, Any]] = {
    'bert': {},
    'bert-moe': {
        'num_experts': 4,
        'experts_per_token': 2,
        'hidden_channels': 256,
        'pooling': 'mean',
    },
}


@dataclass(frozen=True)
class TextSettings:
    """How encoders are fine-tuned. What is not here is as published: batches
    of 16, learning rate 2e-5, weight decay 0.01, at most 128 tokens.

    Args:
        encoder: The encoder's name on the hub or its folder; ``offline`` is
            the one of the extra ``offline``.
        epochs: The number of epochs.
        bf16: Whether matrix products are in bfloat16.
    """

    encoder: str = 'offline'
    epochs: int = 3
    bf16: bool = True


@dataclass
class _Texts:
    """The texts of each part."""

    parts: Parts
    triples: str
    of: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for part in ('train', 'dev', 'test'):
            self.of[part] = [
                linearize(e.triples, self.triples, entry=f'{e.file}: {e.eid}')
                for e in getattr(self.parts, part)
            ]

    def categories(self, part: str) -> list[str]:
        return [e.category for e in getattr(self.parts, part)]


class _EpochEnd(TrainerCallback):
    """Predicts after each epoch, and keeps what was predicted."""

    def __init__(self, folder: Path, predict: Callable[..., Epoch]) -> None:
        self.folder = folder
        self.predict = predict
        self.started = 0.0

    def on_epoch_begin(self, *args: Any, **kwargs: Any) -> None:
        self.started = time.perf_counter()

    def on_epoch_end(
        self, args: Any, state: Any, control: Any, **kwargs: Any
    ) -> None:
        seconds = time.perf_counter() - self.started
        number = round(state.epoch)
        epoch = self.predict(number, seconds)
        write_json(self.folder / f'epoch-{number}.json', to_json(epoch))
        print(f'epoch {number}: {seconds:.0f} s', flush=True)


def is_fixed(model: str) -> bool:
    """Whether every seed gives a model the same result.

    Args:
        model: A model.
    """
    return model in MODELS and MODELS[model][0] in TFIDF


def settings_of(model: str, settings: TextSettings) -> dict[str, Any]:
    """What decides on the result of a model, besides the seed.

    Args:
        model: A key of :data:`MODELS`.
        settings: How encoders are fine-tuned.
    """
    kind, triples = MODELS[model]
    if kind in TFIDF:
        return {'triples': triples, **TFIDF[kind]}
    return {'triples': triples, **HEADS[kind], **vars(settings)}


def train(
    model: str, parts: Parts, seed: int, folder: Path, settings: TextSettings
) -> Run:
    """Trains and tests a text model; one that was interrupted goes on.

    Args:
        model: A key of :data:`MODELS`.
        parts: What it is trained and tested on.
        seed: The seed.
        folder: Where checkpoints and predictions are kept.
        settings: How encoders are fine-tuned.
    """
    kind, triples = MODELS[model]
    texts = _Texts(parts, triples)
    record = settings_of(model, settings)
    if kind in TFIDF:
        return _train_tfidf(kind, texts, seed, record)
    return _train_encoder(kind, texts, seed, folder, settings, record)


def _train_tfidf(
    kind: str, texts: _Texts, seed: int, record: dict[str, Any]
) -> Run:
    classifier = TfidfClassifier(**TFIDF[kind], seed=seed)
    started = time.perf_counter()
    classifier.fit(
        texts.of['train'], texts.categories('train'), classes=CATEGORIES
    )
    seconds = time.perf_counter() - started
    epoch = _predict(classifier, texts, 1, seconds)
    return Run(classifier.num_parameters, record, [epoch])


def _train_encoder(
    kind: str,
    texts: _Texts,
    seed: int,
    folder: Path,
    settings: TextSettings,
    record: dict[str, Any],
) -> Run:
    arguments = {
        'use_cpu': True,
        'bf16': settings.bf16,
        # Half of all tokens are padding else.
        'train_sampling_strategy': 'group_by_length',
    }
    training = FineTuning(
        epochs=settings.epochs,
        checkpoints=folder / 'checkpoints',
        arguments=arguments,
    )
    cls = BertMoeClassifier if kind == 'bert-moe' else BertClassifier
    classifier = cls(settings.encoder, training, seed, **HEADS[kind])
    classifier.callbacks.append(
        _EpochEnd(
            folder,
            lambda number, seconds: _predict(
                classifier, texts, number, seconds
            ),
        )
    )
    classifier.fit(
        texts.of['train'], texts.categories('train'), classes=CATEGORIES
    )
    epochs = [
        Epoch(**json.loads((folder / f'epoch-{number}.json').read_text()))
        for number in range(1, settings.epochs + 1)
    ]
    return Run(classifier.num_parameters, record, epochs)


def _predict(
    classifier: TextClassifier, texts: _Texts, number: int, seconds: float
) -> Epoch:
    dev = _numbers(classifier.predict(texts.of['dev']))
    started = time.perf_counter()
    test = _numbers(classifier.predict(texts.of['test']))
    infer_seconds = time.perf_counter() - started
    routing = None
    if isinstance(classifier, BertMoeClassifier):
        routing = routing_by_category(
            classifier.router_weights(texts.of['test']),
            texts.parts.labels('test'),
        )
    score = classification_scores(texts.parts.labels('dev'), dev)
    return Epoch(
        number,
        score['weighted_f1'],
        dev,
        test,
        seconds,
        infer_seconds,
        routing,
    )


def _numbers(categories: Sequence[str]) -> list[int]:
    return np.array([NUMBER[name] for name in categories]).tolist()
