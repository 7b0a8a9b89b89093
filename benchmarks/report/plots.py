"""The pictures of a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from benchmarks.common.picture import legend_below, log_ticks, panels, save
from benchmarks.report.summary import Summary


def draw_curves(summaries: Sequence[Summary], path: Path) -> Path | None:
    """Draws the mean scores over seeds by epoch, validation above test, with
    the standard deviation as a band. A model without epochs is a dashed line.

    Returns:
        The file, or :obj:`None` where no cell has epochs.
    """
    shown = [summary for summary in summaries if summary.epochs]
    if not shown:
        return None
    datasets = _datasets(shown)
    figure, axes = panels(len(datasets), 2)
    handles: dict[str, Any] = {}
    for column, dataset in enumerate(datasets):
        for axis, part in zip(axes[:, column], ('valid', 'test')):
            bands = []
            for summary, colour in _coloured(summaries, dataset):
                band, line = _curve(axis, summary, part, colour)
                bands.append(band)
                handles[summary.cell.label] = line
            axis.set(title=f'{dataset}, {part}', ylabel=summary.metric)
            # The first epochs are so far off that the rest would be flat.
            seen = np.concatenate([b[:, b.shape[1] // 10 :] for b in bands], 1)
            low, high = np.nanquantile(seen, [0.02, 0.98])
            low = min(low, np.nanmin(seen.mean(axis=0)))
            high = max(high, np.nanmax(seen.mean(axis=0)))
            axis.set_ylim(low - 0.1 * (high - low), high + 0.1 * (high - low))
            axis.grid(alpha=0.3)
        axes[-1][column].set_xlabel('epoch')
    legend_below(figure, handles)
    return save(figure, path)


def draw_cost(summaries: Sequence[Summary], path: Path) -> Path | None:
    """Draws the test score against the seconds that a seed takes.

    Returns:
        The file, or :obj:`None` where there is no cell.
    """
    if not summaries:
        return None
    datasets = _datasets(summaries)
    figure, axes = panels(len(datasets))
    handles: dict[str, Any] = {}
    for axis, dataset in zip(axes[0], datasets):
        seconds = []
        for summary, colour in _coloured(summaries, dataset):
            scores = summary.scores()
            seconds.append(summary.measured('seconds'))
            handles[summary.cell.label] = axis.errorbar(
                seconds[-1],
                scores.mean(),
                scores.std(ddof=1) if len(scores) > 1 else 0.0,
                marker='o',
                capsize=3,
                ls='',
                color=colour,
            )
        axis.set(
            title=dataset, xlabel='seconds per seed', ylabel=summary.metric
        )
        log_ticks(axis, min(seconds), max(seconds))
        axis.grid(alpha=0.3)
    legend_below(figure, handles)
    return save(figure, path)


def _datasets(summaries: Sequence[Summary]) -> list[str]:
    return list(dict.fromkeys(s.cell.dataset for s in summaries))


def _coloured(
    summaries: Sequence[Summary], dataset: str
) -> Iterator[tuple[Summary, str]]:
    # A model has the same colour on all datasets.
    labels = list(dict.fromkeys(s.cell.label for s in summaries))
    for summary in summaries:
        if summary.cell.dataset == dataset:
            yield summary, f'C{labels.index(summary.cell.label)}'


def _curve(
    axis: Axes, summary: Summary, part: str, colour: str
) -> tuple[np.ndarray, Any]:
    if not summary.epochs:
        mean = summary.scores(part).mean()
        return np.full((2, 1), mean), axis.axhline(mean, ls='--', color=colour)
    curves = np.array([r['curve'][part] for r in summary.records], float)
    curves = curves * summary.scale
    epochs = np.arange(1, curves.shape[1] + 1)
    mean = curves.mean(axis=0)
    std = curves.std(axis=0, ddof=1) if len(curves) > 1 else 0 * mean
    (line,) = axis.plot(epochs, mean, color=colour)
    axis.fill_between(epochs, mean - std, mean + std, alpha=0.15, color=colour)
    return np.stack([mean - std, mean + std]), line
