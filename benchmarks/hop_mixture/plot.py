"""The picture of the comparison on HopMixture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.common.picture import panels, save


def draw(results: list[dict[str, Any]], path: Path) -> Path:
    """Draws validation accuracy by epoch, and how query nodes are routed.

    Args:
        results: What :func:`benchmarks.hop_mixture.train` returns.
        path: The file.
    """
    figure, axes = panels(2, width=5.0, height=3.8)
    curves, routing = axes[0]
    for result in results:
        epochs = [row['epoch'] + 1 for row in result['epochs']]
        valid = [row['valid'] for row in result['epochs']]
        curves.plot(epochs, valid, marker='o', ms=3, label=result['name'])
    curves.set(
        xlabel='epoch',
        ylabel='validation accuracy',
        title='Learning curves at equal cost',
    )
    curves.grid(alpha=0.3)
    curves.legend(frameon=False)

    names = [r['name'] for r in results if r['routing']]
    width = 0.38
    for offset, (key, label) in enumerate(
        (
            ('hop1_weight_where_hop1_is_right', 'hop 1 is right'),
            ('hop1_weight_where_hop2_is_right', 'hop 2 is right'),
        )
    ):
        position = [i + offset * width for i in range(len(names))]
        weight = [r['routing'][key] for r in results if r['routing']]
        bars = routing.bar(position, weight, width, label=label)
        routing.bar_label(bars, fmt='%.2f')
    routing.set(
        xticks=[i + width / 2 for i in range(len(names))],
        xticklabels=names,
        ylabel='weight of hop-1 experts',
        ylim=(0, 1.35),
        title='Routing of query nodes',
    )
    routing.legend(frameon=False, title='graphs in which', ncols=2)
    return save(figure, path, 120)
