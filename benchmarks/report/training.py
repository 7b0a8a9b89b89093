"""The table about the training, from the curves of the runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.report.summary import Summary

_NONE = '–'


def training(summaries: Sequence[Summary]) -> list[dict[str, str]]:
    """The selected epochs, the losses at the end, how often the experts were
    used that were used least and most, and how far a score moves
    from one epoch to the next, over the second half of the run. Nothing where
    no cell has epochs.
    """
    return [_row(s) for s in summaries if s.records[0].get('curve')]


def _row(summary: Summary) -> dict[str, str]:
    epochs = [record['best_epoch'] for record in summary.records]
    return {
        'dataset': summary.cell.dataset,
        'model': summary.cell.label,
        'epoch selected': (
            f'{np.median(epochs):.0f} ({min(epochs)} to {max(epochs)})'
        ),
        'training loss': _end(summary, 'train_loss'),
        'balance loss': _end(summary, 'balance_loss'),
        'expert usage': _usage(summary),
        'validation, from epoch to epoch': _change(summary, 'valid'),
        'test, from epoch to epoch': _change(summary, 'test'),
    }


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


def _change(summary: Summary, key: str) -> str:
    curves = [curve[len(curve) // 2 :] for curve in _curves(summary, key)]
    steps = [np.abs(np.diff(curve)) for curve in curves]
    values = np.concatenate([np.zeros(0), *steps]) * summary.scale
    if not np.isfinite(values).any():
        return _NONE
    return f'± {np.nanmean(values):.{summary.digits}f}'
