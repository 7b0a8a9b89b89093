"""From the predictions of each epoch to one result per protocol.

Both protocols train on the same entries, so that a model is trained once per
seed. They differ in the epoch that they take and in what they test on:
``clean`` takes the epoch that the model chose without the test entries, and
``published`` the best one on the test entries, as published results do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix

from benchmarks.webnlg.data import Parts
from gmoe.datasets.webnlg import CATEGORIES
from gmoe.text import classification_scores

PROTOCOLS = ('clean', 'published')


@dataclass
class Epoch:
    """What a model says after an epoch.

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


@dataclass
class Run:
    """A trained model.

    Args:
        num_parameters: The number of its trained values.
        settings: What it was trained with.
        epochs: Each epoch.
    """

    num_parameters: int
    settings: dict[str, Any]
    epochs: list[Epoch] = field(default_factory=list)


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


def records(run: Run, parts: Parts) -> list[dict[str, Any]]:
    """The results of a run, one per protocol.

    Args:
        run: The run.
        parts: What it was tested on.
    """
    return [_record(run, parts, protocol) for protocol in PROTOCOLS]


def _record(run: Run, parts: Parts, protocol: str) -> dict[str, Any]:
    label = parts.labels('test')
    repeated = parts.repeated
    entries = [
        classification_scores(label[repeated], np.array(epoch.test)[repeated])
        for epoch in run.epochs
    ]
    if protocol == 'published':
        chosen = int(np.argmax([s['weighted_f1'] for s in entries]))
    else:
        chosen = int(np.argmax([e.selection for e in run.epochs]))
    epoch = run.epochs[chosen]
    predicted = np.array(epoch.test)
    dev = classification_scores(parts.labels('dev'), epoch.dev)
    out: dict[str, Any] = {'protocol': protocol, 'epoch': epoch.epoch}
    if protocol == 'published':
        out |= entries[chosen]
    else:
        out |= classification_scores(label, predicted)
        out['entries'] = entries[chosen]
        out['subsets'] = _subsets(label, predicted, parts.kind)
    out |= {
        'dev_weighted_f1': dev['weighted_f1'],
        'num_parameters': run.num_parameters,
        'train_seconds': round(sum(e.train_seconds for e in run.epochs), 2),
        'train_seconds_per_epoch': round(
            float(np.median([e.train_seconds for e in run.epochs])), 3
        ),
        'infer_seconds': round(
            float(np.median([e.infer_seconds for e in run.epochs])), 3
        ),
        'settings': run.settings,
    }
    if protocol == 'clean':
        out['confusion'] = confusion_matrix(
            label, predicted, labels=range(len(CATEGORIES))
        ).tolist()
        out['routing'] = epoch.routing
    return out


def _subsets(
    label: np.ndarray, predicted: np.ndarray, kinds: Sequence[str]
) -> dict[str, dict[str, float]]:
    kind = np.array(kinds)
    return {
        str(name): {
            'graphs': int((kind == name).sum()),
            **classification_scores(
                label[kind == name], predicted[kind == name]
            ),
        }
        for name in np.unique(kind)
    }


def to_json(epoch: Epoch) -> dict[str, Any]:
    """An epoch as plain values.

    Args:
        epoch: The epoch.
    """
    return asdict(epoch)
