"""The pictures of a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use('Agg')  # No screen is needed.

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.report.summary import Summary


def draw_curves(summaries: Sequence[Summary], path: Path) -> Path | None:
    """Draws the mean scores over seeds by epoch, validation above test, with
    the standard deviation as a band.

    Args:
        summaries: The cells.
        path: The file.

    Returns:
        The file, or :obj:`None` where no cell has epochs.
    """
    shown = [s for s in summaries if s.epochs]
    if not shown:
        return None
    figure, axes, datasets = _panels(shown, 2)
    for column, dataset in enumerate(datasets):
        for row, part in enumerate(('valid', 'test')):
            axis = axes[row][column]
            for summary in shown:
                if summary.cell.dataset == dataset:
                    _curve(axis, summary, part)
            metric = next(s for s in shown if s.cell.dataset == dataset).metric
            axis.set(title=f'{dataset}, {part}', ylabel=metric)
            axis.grid(alpha=0.3)
        axes[-1][column].set_xlabel('epoch')
        axes[0][column].legend(frameon=False, fontsize=8)
    return _save(figure, path)


def draw_cost(summaries: Sequence[Summary], path: Path) -> Path | None:
    """Draws the test score against the seconds that a seed takes.

    Args:
        summaries: The cells.
        path: The file.

    Returns:
        The file, or :obj:`None` where there is no cell.
    """
    if not summaries:
        return None
    figure, axes, datasets = _panels(summaries, 1)
    for axis, dataset in zip(axes[0], datasets):
        for summary in summaries:
            if summary.cell.dataset != dataset:
                continue
            scores = summary.scores()
            spread = scores.std(ddof=1) if len(scores) > 1 else 0.0
            axis.errorbar(
                summary.measured('seconds'),
                scores.mean(),
                spread,
                marker='o',
                capsize=3,
                ls='',
                label=summary.cell.label,
            )
            metric = summary.metric
        axis.set(
            xscale='log',
            title=dataset,
            xlabel='seconds per seed',
            ylabel=metric,
        )
        axis.grid(alpha=0.3)
        axis.legend(frameon=False, fontsize=8)
    return _save(figure, path)


def _panels(
    summaries: Sequence[Summary], rows: int
) -> tuple[Figure, np.ndarray, list[str]]:
    datasets = list(dict.fromkeys(s.cell.dataset for s in summaries))
    figure, axes = plt.subplots(
        rows,
        len(datasets),
        figsize=(4.2 * len(datasets), 3.2 * rows),
        squeeze=False,
    )
    return figure, axes, datasets


def _curve(axis: Axes, summary: Summary, part: str) -> None:
    curves = np.array([r['curve'][part] for r in summary.records], float)
    curves = curves * summary.scale
    epochs = np.arange(1, curves.shape[1] + 1)
    mean = curves.mean(axis=0)
    (line,) = axis.plot(epochs, mean, label=summary.cell.label)
    if len(curves) > 1:
        std = curves.std(axis=0, ddof=1)
        axis.fill_between(
            epochs, mean - std, mean + std, alpha=0.15, color=line.get_color()
        )


def _save(figure: Figure, path: Path) -> Path:
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    # Without the version of matplotlib, so that a file stays the same.
    figure.savefig(path, dpi=100, metadata={'Software': None})
    plt.close(figure)
    return path
