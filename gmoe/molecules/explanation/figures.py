"""The figures of a report, as the text of SVG elements."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from gmoe.molecules.explanation.drawing import expert_colour
from gmoe.molecules.explanation.routing_table import Enrichment, Interval


def usage_figure(
    names: Sequence[str], usage: Sequence[Sequence[Interval]]
) -> str:
    """Bars of the share of each expert, layer by layer, with intervals.

    Args:
        names: The names of the layers.
        usage: The share of each expert of each layer.
    """
    num_experts = max(len(layer) for layer in usage)
    figure = Figure(figsize=(9, 3.2), layout='constrained')
    axis = figure.subplots()
    width = 0.85 / num_experts
    for expert in range(num_experts):
        place = (
            np.arange(len(names)) + (expert - num_experts / 2 + 0.5) * width
        )
        shares = [layer[expert] for layer in usage]
        axis.bar(
            place,
            [share.value for share in shares],
            width,
            yerr=_errors(shares),
            color=expert_colour(expert),
            edgecolor='black',
            linewidth=0.5,
            label=f'expert {expert}',
            capsize=2,
        )
    axis.axhline(1 / num_experts, color='black', linestyle=':', linewidth=1)
    axis.set_xticks(range(len(names)), names)
    axis.set_ylabel('share of atoms')
    axis.spines[['top', 'right']].set_visible(False)
    figure.legend(loc='outside right upper', frameon=False)
    return _svg(figure)


def enrichment_figure(found: Sequence[Enrichment]) -> str:
    """Ratios with their intervals, on a logarithmic scale.

    Args:
        found: The findings, from the top down.
    """
    figure = Figure(figsize=(9, 1.1 + 0.28 * len(found)), layout='constrained')
    axis = figure.subplots()
    for row, each in enumerate(found):
        axis.errorbar(
            each.ratio.value,
            -row,
            xerr=_errors([each.ratio]),
            fmt='o',
            color=expert_colour(each.expert),
            markeredgecolor='black',
            ecolor='black',
            capsize=2,
        )
    axis.axvline(1, color='black', linestyle=':', linewidth=1)
    axis.set_xscale('log')
    ratios = [r for e in found for r in (e.ratio.low, e.ratio.high)]
    ticks = [0.5, 1, 1.5, 2, 3, 5, 10, 20, 50]
    low, high = min([0.9, *ratios]) * 0.95, max([2.0, *ratios]) * 1.05
    shown = [tick for tick in ticks if low <= tick <= high]
    axis.set_xlim(max(low, 0.1), high)
    axis.set_xticks(shown, [f'{tick:g}' for tick in shown])
    axis.set_xticks([], minor=True)
    axis.set_yticks(
        [-row for row in range(len(found))],
        [f'expert {each.expert}: {each.name}' for each in found],
    )
    axis.set_xlabel("expert's share of the property / of all atoms")
    axis.spines[['top', 'right']].set_visible(False)
    return _svg(figure)


def _errors(shares: Sequence[Interval]) -> Any:
    return np.array(
        [
            [max(share.value - share.low, 0) for share in shares],
            [max(share.high - share.value, 0) for share in shares],
        ]
    )


def _svg(figure: Figure) -> str:
    file = io.StringIO()
    figure.savefig(file, format='svg')
    text = file.getvalue()
    # A page has no declarations within.
    return text[text.index('<svg') :]
