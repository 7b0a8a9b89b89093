"""Makes the scores of each protocol from the predictions of each epoch.

Both protocols train on the same entries, so that a model is trained once per
seed. They differ in the epoch that they take and in what they test on:
``clean`` takes the epoch that the model chose without the test entries, and
``published`` the best one on the test entries, as published results do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix

from benchmarks.common.memory import peak_memory
from benchmarks.reproduce.kinds.webnlg_parts import Parts
from gmoe.datasets.webnlg import CATEGORIES
from gmoe.text import classification_scores


@dataclass
class Epoch:
    """The predictions of a model after an epoch.

    Args:
        epoch: The number of epochs done.
        selection: The score that epochs are chosen by under ``clean``, where
            more is better.
        dev: The category of each development entry, as a number.
        test: The category of each distinct test graph.
        train_seconds: The seconds that this epoch trained.
        infer_seconds: The seconds that predicting :attr:`test` took.
        routing: For models with experts, the mean weight of each expert (of
            each layer) by category of the test graphs.
    """

    epoch: int
    selection: float
    dev: list[int]
    test: list[int]
    train_seconds: float
    infer_seconds: float
    routing: list[list[float]] | None = None


def result(
    epochs: Sequence[Epoch], parts: Parts, num_parameters: int
) -> dict[str, Any]:
    """The result of a run.

    Args:
        epochs: Each epoch.
        parts: What the model was tested on.
        num_parameters: The number of its trained values.
    """
    train = [epoch.train_seconds for epoch in epochs]
    infer = [epoch.infer_seconds for epoch in epochs]
    return {
        'num_parameters': num_parameters,
        'protocols': protocols(epochs, parts),
        'measured': {
            'seconds': round(sum(train) + sum(infer), 3),
            'train_seconds': round(sum(train), 2),
            'train_seconds_per_epoch': round(float(np.median(train)), 3),
            'infer_seconds': round(float(np.median(infer)), 3),
            'peak_memory': peak_memory(),
        },
    }


def protocols(
    epochs: Sequence[Epoch], parts: Parts
) -> dict[str, dict[str, Any]]:
    """The scores of each protocol.

    Args:
        epochs: Each epoch.
        parts: What the model was tested on.
    """
    label, repeated = parts.labels('test'), parts.repeated
    entries = [
        classification_scores(label[repeated], np.array(epoch.test)[repeated])
        for epoch in epochs
    ]
    chosen = {
        'clean': int(np.argmax([epoch.selection for epoch in epochs])),
        'published': int(np.argmax([s['weighted_f1'] for s in entries])),
    }
    clean = epochs[chosen['clean']]
    predicted = np.array(clean.test)
    scores = {
        'clean': {
            **classification_scores(label, predicted),
            'entries': entries[chosen['clean']],
            'subsets': _subsets(label, predicted, np.array(parts.kind)),
            'confusion': confusion_matrix(
                label, predicted, labels=range(len(CATEGORIES))
            ).tolist(),
            'routing': clean.routing,
        },
        'published': {**entries[chosen['published']]},
    }
    dev = parts.labels('dev')
    for protocol, i in chosen.items():
        said = classification_scores(dev, epochs[i].dev)
        scores[protocol]['epoch'] = epochs[i].epoch
        scores[protocol]['dev_weighted_f1'] = said['weighted_f1']
    return scores


def routing_by_category(
    weights: np.ndarray, labels: np.ndarray
) -> list[list[float]]:
    """The mean weights of experts by category, zero for one without graphs.

    Args:
        weights: The weights of each graph, of shape ``[num_graphs, n]``.
        labels: The category of each graph.
    """
    out = np.zeros((len(CATEGORIES), weights.shape[1]))
    for category in np.unique(labels):
        out[category] = weights[labels == category].mean(axis=0)
    return [[round(float(w), 4) for w in row] for row in out]


def _subsets(
    label: np.ndarray, predicted: np.ndarray, kind: np.ndarray
) -> dict[str, dict[str, float]]:
    return {
        str(name): {
            'graphs': int((kind == name).sum()),
            **classification_scores(
                label[kind == name], predicted[kind == name]
            ),
        }
        for name in np.unique(kind)
    }
