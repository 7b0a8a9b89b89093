"""Pictures: panels that need no screen, and files with the same bytes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use('Agg')  # No screen is needed.

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure


def panels(
    columns: int, rows: int = 1, width: float = 4.2, height: float = 3.2
) -> tuple[Figure, np.ndarray]:
    """A figure with a grid of axes.

    Args:
        columns: The number of columns.
        rows: The number of rows.
        width: The width of one of the axes, in inches.
        height: Its height.
    """
    return plt.subplots(
        rows,
        columns,
        figsize=(width * columns, height * rows),
        squeeze=False,
        layout='constrained',
    )


def legend_below(figure: Figure, handles: Mapping[str, Any]) -> None:
    """One legend for all axes, below them, where it covers no data.

    Args:
        figure: The figure; it grows by the height of the legend.
        handles: What is drawn, by its label.
    """
    width, height = figure.get_size_inches()
    # A label takes 0.6 inches and 0.08 inches for each of its characters.
    longest = 0.6 + 0.08 * max(map(len, handles))
    columns = min(max(int(width / longest), 1), len(handles))
    rows = math.ceil(len(handles) / columns)
    figure.set_size_inches(width, height + 0.2 * rows)
    figure.legend(
        handles.values(),
        handles.keys(),
        loc='outside lower center',
        ncols=columns,
        frameon=False,
        fontsize=9,
    )


def log_ticks(axis: Axes, low: float, high: float) -> None:
    """A logarithmic axis of x with ticks at 1, 2, 5, 10, ... that do not
    overlap.

    Args:
        axis: The axes.
        low: The least value, above 0.
        high: The greatest value.
    """
    steps = [
        digit * 10.0**power for power in range(-3, 8) for digit in (1, 2, 5)
    ]
    first = max(step for step in steps if step <= 0.95 * low)
    last = min(step for step in steps if step >= 1.05 * high)
    ticks = [step for step in steps if first <= step <= last]
    axis.set(xscale='log', xlim=(first, last))
    axis.set_xticks(ticks, [f'{tick:g}' for tick in ticks])
    axis.minorticks_off()


def save(figure: Figure, path: Path, dpi: int = 100) -> Path:
    """Writes and closes a figure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Without the version of matplotlib, so that a file stays the same.
    figure.savefig(path, dpi=dpi, metadata={'Software': None})
    plt.close(figure)
    return path
