"""How training went, from the curves of the runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.common import markdown
from benchmarks.report.summary import Summary

_NONE = '–'
_HEADER = [
    'dataset',
    'model',
    'epoch selected',
    'training loss',
    'balance loss',
    'expert usage',
    'validation, from epoch to epoch',
    'test, from epoch to epoch',
]


def training(summaries: Sequence[Summary]) -> str:
    """The selected epochs, the losses at the end, how often the experts were
    used that were used least and most, and how far a score moves
    from one epoch to the next, over the second half of the run. Nothing where
    no cell has epochs.

    Args:
        summaries: The cells.
    """
    rows = [_row(s) for s in summaries if s.records[0].get('curve')]
    return markdown.table(_HEADER, rows) if rows else ''


def _row(summary: Summary) -> list[str]:
    epochs = [record['best_epoch'] for record in summary.records]
    digits = summary.digits
    changes = [_change(summary, key) for key in ('valid', 'test')]
    return [
        summary.cell.dataset,
        summary.cell.label,
        f'{np.median(epochs):.0f} ({min(epochs)} to {max(epochs)})',
        *(_end(summary, key) for key in ('train_loss', 'balance_loss')),
        _usage(summary),
        *(_NONE if c is None else f'± {c:.{digits}f}' for c in changes),
    ]


def _curves(summary: Summary, key: str) -> list[np.ndarray]:
    found = [record['curve'].get(key) for record in summary.records]
    # A score is missing where a split has one class only.
    return [np.array(curve, float) for curve in found if curve]


def _end(summary: Summary, key: str) -> str:
    curves = _curves(summary, key)
    if not curves:
        return _NONE
    return f'{np.mean([curve[-1] for curve in curves]):.3f}'


def _usage(summary: Summary) -> str:
    # As multiples of an even share; the means over layers and seeds.
    found = [record.get('expert_usage') for record in summary.records]
    layers = [layer for usage in found if usage for layer in usage]
    if not layers:
        return _NONE
    shares = np.array(layers) * len(layers[0])
    least, most = shares.min(axis=1).mean(), shares.max(axis=1).mean()
    return f'{least:.2f} to {most:.2f}'


def _change(summary: Summary, key: str) -> float | None:
    curves = [curve[len(curve) // 2 :] for curve in _curves(summary, key)]
    steps = [np.abs(np.diff(curve)) for curve in curves]
    values = np.concatenate([np.zeros(0), *steps]) * summary.scale
    return float(np.nanmean(values)) if np.isfinite(values).any() else None
