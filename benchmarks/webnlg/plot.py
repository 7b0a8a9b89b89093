"""Pictures of WebNLG results: confusion, and which experts serve what."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import ConfusionMatrixDisplay

from benchmarks.common.picture import panels, save
from gmoe.datasets.webnlg import CATEGORIES

Record = dict[str, Any]


def confusion(
    found: Sequence[Record], path: Path, models: Sequence[str]
) -> None:
    """Draws the confusion matrices of models on the distinct test graphs,
    summed over seeds, each row in percent.
    """
    figure, axes = panels(len(models), width=8.0, height=7.5)
    for axis, model in zip(axes[0], models):
        total = np.sum([r['confusion'] for r in _clean(found, model)], axis=0)
        share = 100 * total / np.maximum(total.sum(axis=1, keepdims=True), 1)
        display = ConfusionMatrixDisplay(share, display_labels=CATEGORIES)
        display.plot(
            ax=axis,
            cmap='Blues',
            colorbar=False,
            values_format='.0f',
            xticks_rotation=90,
        )
        axis.set_title(f'{model}: % of each category')
    print(f'Wrote {save(figure, path)}')


def routing(
    found: Sequence[Record], path: Path, models: Sequence[str]
) -> None:
    """Draws the mean weight of each expert by category, for the first seed.

    Args:
        found: The results.
        path: The picture.
        models: Models with experts.
    """
    figure, axes = panels(len(models), width=5.5, height=6.0)
    for axis, model in zip(axes[0], models):
        first = min(_clean(found, model), key=lambda r: r['seed'])
        weights = np.array(first['routing'])
        image = axis.imshow(weights, cmap='viridis', aspect='auto', vmin=0)
        axis.set_yticks(range(len(CATEGORIES)), CATEGORIES)
        names = _experts(first, weights.shape[1])
        axis.set_xticks(range(len(names)), names, rotation=90)
        axis.set_title(f'{model}, seed {first["seed"]}: mean weight')
        figure.colorbar(image, ax=axis)
    print(f'Wrote {save(figure, path)}')


def _experts(record: Record, count: int) -> list[str]:
    """The names of the experts, layer after layer."""
    model = record['settings'].get('model')
    if model is None:
        return [f'expert {i}' for i in range(count)]
    n, m = model['num_experts'], model['num_experts_1hop']
    return [
        f'layer {i // n}, expert {i % n}, hop {1 if i % n < m else 2}'
        for i in range(count)
    ]


def _clean(found: Sequence[Record], model: str) -> list[Record]:
    return [
        record
        for record in found
        if record['model'] == model and record['protocol'] == 'clean'
    ]
