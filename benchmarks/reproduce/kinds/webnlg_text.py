"""A run of a text model of WebNLG: TF-IDF, or a pretrained encoder."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from transformers import TrainerCallback

from benchmarks.common.memory import reset_peak_memory
from benchmarks.common.record import write_json
from benchmarks.reproduce.job import Job
from benchmarks.reproduce.kinds import webnlg_scores
from benchmarks.reproduce.kinds.webnlg_parts import NUMBER, Parts, load_parts
from benchmarks.reproduce.kinds.webnlg_scores import Epoch, routing_by_category
from benchmarks.reproduce.progress import Progress
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


def train(job: Job) -> dict[str, Any]:
    """Trains a text model from its last checkpoint, or from the start.

    Returns:
        Its result: the scores of both protocols.
    """
    settings = dict(job.run.cell.settings)
    texts = _Texts(
        load_parts(job.root, settings.pop('quick', False)),
        settings.pop('triples'),
    )
    reset_peak_memory()
    is_encoder = 'encoder' in settings
    fit = _fine_tune if is_encoder else _fit_tfidf
    classifier, epochs = fit(job, settings, texts)
    return webnlg_scores.result(epochs, texts.parts, classifier.num_parameters)


class _Texts:
    """The texts of each part, and their categories."""

    def __init__(self, parts: Parts, triples: str) -> None:
        self.parts = parts
        self.of = {
            part: [
                linearize(e.triples, triples, entry=f'{e.file}: {e.eid}')
                for e in getattr(parts, part)
            ]
            for part in ('train', 'dev', 'test')
        }

    def fit(self, classifier: TextClassifier) -> None:
        categories = [entry.category for entry in self.parts.train]
        classifier.fit(self.of['train'], categories, classes=CATEGORIES)

    def predict(
        self, classifier: TextClassifier, number: int, seconds: float
    ) -> Epoch:
        """The predictions of a classifier after an epoch that took seconds."""
        dev = _numbers(classifier.predict(self.of['dev']))
        started = time.perf_counter()
        test = _numbers(classifier.predict(self.of['test']))
        infer_seconds = time.perf_counter() - started
        routing = None
        if isinstance(classifier, BertMoeClassifier):
            weights = classifier.router_weights(self.of['test'])
            routing = routing_by_category(weights, self.parts.labels('test'))
        score = classification_scores(self.parts.labels('dev'), dev)
        return Epoch(
            number,
            score['weighted_f1'],
            dev,
            test,
            seconds,
            infer_seconds,
            routing,
        )


class _EpochEnd(TrainerCallback):
    """Predicts after each epoch, and keeps what was predicted.

    Args:
        folder: Where it is kept.
        predict: Makes an epoch of its number and its seconds.
    """

    def __init__(
        self, folder: Path, predict: Callable[[int, float], Epoch]
    ) -> None:
        self.folder = folder
        self.predict = predict
        self.started = 0.0

    def on_train_begin(
        self, args: Any, state: Any, control: Any, **kwargs: Any
    ) -> None:
        self._write_progress(round(state.epoch or 0))

    def on_epoch_begin(self, *args: Any, **kwargs: Any) -> None:
        self.started = time.perf_counter()

    def on_epoch_end(
        self, args: Any, state: Any, control: Any, **kwargs: Any
    ) -> None:
        seconds = time.perf_counter() - self.started
        number = round(state.epoch)
        epoch = self.predict(number, seconds)
        write_json(_epoch_path(self.folder, number), asdict(epoch))
        self._write_progress(number)

    def _write_progress(self, done: int) -> None:
        epochs = _read_epochs(self.folder, done) or []
        seconds = sum(e.train_seconds + e.infer_seconds for e in epochs)
        Progress(done, seconds, os.getpid()).write(self.folder)


def _fit_tfidf(
    job: Job, settings: dict[str, Any], texts: _Texts
) -> tuple[TextClassifier, list[Epoch]]:
    classifier = TfidfClassifier(**settings, seed=job.run.seed)
    started = time.perf_counter()
    texts.fit(classifier)
    seconds = time.perf_counter() - started
    return classifier, [texts.predict(classifier, 1, seconds)]


def _fine_tune(
    job: Job, settings: dict[str, Any], texts: _Texts
) -> tuple[TextClassifier, list[Epoch]]:
    # What is not set is as published: batches of 16, learning rate 2e-5,
    # weight decay 0.01, at most 128 tokens.
    head = dict(settings)
    encoder, count = head.pop('encoder'), head.pop('epochs')
    training = FineTuning(
        epochs=count,
        checkpoints=job.checkpoints,
        arguments={
            'use_cpu': True,
            'bf16': head.pop('bf16'),
            # Half of all tokens are padding else.
            'train_sampling_strategy': 'group_by_length',
        },
    )
    cls = BertMoeClassifier if head else BertClassifier
    classifier = cls(encoder, training, job.run.seed, **head)

    def predict(number: int, seconds: float) -> Epoch:
        return texts.predict(classifier, number, seconds)

    classifier.callbacks.append(_EpochEnd(job.folder, predict))
    texts.fit(classifier)
    epochs = _read_epochs(job.folder, count)
    if epochs is None:
        # Those of epochs before its checkpoint: it starts again.
        shutil.rmtree(job.checkpoints)
        return _fine_tune(job, settings, texts)
    return classifier, epochs


def _epoch_path(folder: Path, number: int) -> Path:
    return folder / f'epoch-{number}.json'


def _read_epochs(folder: Path, count: int) -> list[Epoch] | None:
    # None if some cannot be read, as when the machine went down while they
    # were written.
    paths = [_epoch_path(folder, number + 1) for number in range(count)]
    try:
        return [Epoch(**json.loads(path.read_bytes())) for path in paths]
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _numbers(categories: Sequence[str]) -> list[int]:
    return np.array([NUMBER[name] for name in categories]).tolist()
