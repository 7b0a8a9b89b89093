"""The picture of cost against the number of experts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib import ticker

from benchmarks.common.picture import panels, save

LABELS = {
    'gmoe': 'gmoe',
    'dense': 'dense, stock PyG',
    'single': 'one expert, stock PyG',
}


def draw(rows: list[dict[str, Any]], path: Path, top_k: int = 2) -> Path:
    """Draws the time of a training step against the number of experts.

    Args:
        rows: The rows of a run of :mod:`benchmarks.speed.step_time`.
        path: The file.
        top_k: The number of selected experts of the rows that are drawn.
    """
    shown = [
        (int(row['name'].split('-')[1][1:]), row)
        for row in rows
        if f'-k{top_k}-' in row['name']
    ]
    batches = sorted({row['batch'] for _, row in shown})
    figure, axes = panels(len(batches), width=5.0, height=3.8)
    for axis, batch in zip(axes[0], batches):
        part = sorted(
            ((n, row) for n, row in shown if row['batch'] == batch),
            key=lambda pair: pair[0],
        )
        for key, label in LABELS.items():
            points = [
                (n, row[f'{key}_train_ms'])
                for n, row in part
                if row.get(f'{key}_train_ms') is not None
            ]
            axis.plot(*zip(*points), marker='o', ms=4, label=label)
        axis.set(
            xscale='log',
            yscale='log',
            xlabel='number of experts n',
            ylabel='training step in ms',
            title=f'{batch} molecules, k = {top_k}',
        )
        ticks = [n for n, _ in part]
        axis.set_xticks(ticks, [str(n) for n in ticks])
        axis.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter(ticker.ScalarFormatter())
        axis.minorticks_off()
        axis.grid(alpha=0.3)
        axis.legend(frameon=False)
    return save(figure, path, 120)
