"""The tables and pictures of the coverage of intervals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import markdown
from benchmarks.common.picture import legend_below, panels, save
from gmoe.molecules.uncertainty import draw_reliability

PAGE = 'uncertainty.md'
PART = 'benchmarks.coverage'


def publish(result: dict[str, Any], docs: Path) -> None:
    """Writes the part of the page and its pictures.

    Args:
        result: The result.
        docs: The folder of the page.
    """
    draw_coverage(result, docs / 'images' / 'coverage.png')
    draw_curves(result, docs / 'images' / 'reliability.png')
    markdown.update([docs / PAGE], PART, table(result), True)


def table(result: dict[str, Any]) -> str:
    """The coverage of each dataset and kind of split, as Markdown.

    Args:
        result: The result.
    """
    lines = [
        '| dataset | split | splits | single network | ensemble | width or '
        'size, single | ensemble |',
        '|---|---|---|---|---|---|---|',
    ]
    for (name, kind), trials in _groups(result).items():
        cells = [name.removeprefix('ogbg-'), kind, str(len(trials))]
        cells += [
            _mean([100 * _average(t[label], 'coverage') for t in trials], 1)
            for label in ('single', 'ensemble')
        ]
        cells += [
            _mean([_average(t[label], 'width', 'size') for t in trials])
            for label in ('single', 'ensemble')
        ]
        lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join(lines)


def draw_coverage(result: dict[str, Any], path: Path) -> None:
    """Draws the coverage of each split.

    Args:
        result: The result.
        path: The picture.
    """
    groups = _groups(result)
    figure, axes = panels(1, width=6.4, height=3.4)
    axis = axes[0, 0]
    handles: dict[str, Any] = {}
    draw = np.random.default_rng(0)
    for place, trials in enumerate(groups.values()):
        for shift, label in ((-0.15, 'single'), (0.15, 'ensemble')):
            y = [100 * part['coverage'] for t in trials for part in t[label]]
            x = place + shift + draw.uniform(-0.06, 0.06, len(y))
            color = {'single': 'C0', 'ensemble': 'C1'}[label]
            axis.plot(x, y, '.', color=color, alpha=0.5)
            (handles[label],) = axis.plot(
                place + shift, np.mean(y), 'D', color=color, markersize=7
            )
    handles['asked for'] = axis.axhline(
        100 * result['level'], color='0.5', linestyle=':'
    )
    names = [
        f'{name.removeprefix("ogbg-")}\n{kind.partition("-")[0]}'
        for name, kind in groups
    ]
    axis.set_xticks(range(len(groups)), names, fontsize=8)
    axis.set_ylabel('test molecules inside (%)')
    legend_below(figure, handles)
    save(figure, path)


def draw_curves(result: dict[str, Any], path: Path) -> None:
    """Draws the reliability of the probabilities of a single network, over
    all random splits of the classification that is there.

    Args:
        result: The result.
        path: The picture.
    """
    trials = [
        trial['single'][0]
        for trial in result['trials']
        if trial['split'] == 'random' and 'outcome' in trial['single'][0]
    ]
    if not trials:
        return
    outcome = np.concatenate([trial['outcome'] for trial in trials])
    names = {'none': 'as they are'}
    curves = {
        names.get(way, way): (
            np.concatenate([trial[way]['probability'] for trial in trials]),
            outcome,
        )
        for way in ('none', 'temperature', 'isotonic')
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    draw_reliability(path, curves)


def _groups(
    result: dict[str, Any],
) -> dict[tuple[str, str], list[dict[str, Any]]]:
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for trial in result['trials']:
        key = trial['dataset'], trial['split']
        groups.setdefault(key, []).append(trial)
    return groups


def _average(parts: list[dict[str, Any]], *names: str) -> float:
    """The mean over all divisions of a split."""
    return float(
        np.mean(
            [part[name] for part in parts for name in names if name in part]
        )
    )


def _mean(values: list[float], digits: int = 2) -> str:
    if len(values) == 1:
        return f'{values[0]:.{digits}f}'
    deviation = np.std(values, ddof=1)
    return f'{np.mean(values):.{digits}f} ± {deviation:.{digits}f}'
