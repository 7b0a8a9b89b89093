"""The paper's tables in short, for the README."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.common import markdown
from benchmarks.report.compare import compare
from benchmarks.report.summary import Summary

#: The tables whose comparisons are shown.
TABLES = ('table1', 'table2', 'table3')

#: How many seeds a gain needs to be shown.
MIN_SEEDS = 3

_HEADER = [
    'dataset (metric)',
    'models',
    'seeds',
    'single (paper)',
    'mixture (paper)',
    'gain, 95 % interval',
]


def headline(found: Mapping[str, Mapping[str, Summary]]) -> str:
    """Mixtures beside their baselines, ours and the paper's.

    Args:
        found: The cells of each table that have results, by their names.
    """
    rows = []
    for name in TABLES:
        summaries = found.get(name, {})
        for summary in summaries.values():
            cell = summary.cell
            baseline = summaries.get(f'{cell.dataset}/{cell.baseline}')
            if baseline is not None:
                rows.append(_row(summary, baseline))
    return markdown.table(_HEADER, rows) if rows else 'Not run yet.'


def _row(mixture: Summary, baseline: Summary) -> list[str]:
    digits = mixture.digits
    arrow = '↓' if mixture.is_better_if_less else '↑'
    found = compare(mixture, baseline)
    if found is None or found.seeds < MIN_SEEDS:
        seeds = min(len(mixture.records), len(baseline.records))
        gain = 'too few seeds'
    else:
        seeds = found.seeds
        low, high = f'{found.low:+.{digits}f}', f'{found.high:+.{digits}f}'
        gain = f'{found.gain:+.{digits}f} [{low}, {high}]'
    return [
        f'{mixture.cell.dataset} ({mixture.metric} {arrow})',
        f'{mixture.cell.label} over {baseline.cell.label}',
        str(seeds),
        _score(baseline),
        _score(mixture),
        gain,
    ]


def _score(summary: Summary) -> str:
    scores, digits = summary.scores(), summary.digits
    text = f'{scores.mean():.{digits}f}'
    if len(scores) > 1:
        text += f' ± {scores.std(ddof=1):.{digits}f}'
    if summary.cell.paper is not None:
        mean, std = summary.cell.paper
        text += f' ({mean:.{digits}f} ± {std:.{digits}f})'
    return text
