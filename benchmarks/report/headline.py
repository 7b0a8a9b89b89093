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
    return markdown.table_of(rows) or 'Not run yet.'


def _row(mixture: Summary, baseline: Summary) -> dict[str, str]:
    seeds = min(len(mixture.records), len(baseline.records))
    gain = 'too few seeds'
    found = compare(mixture, baseline)
    if found is not None and found.seeds >= MIN_SEEDS:
        seeds, digits = found.seeds, mixture.digits
        gain = f'{found.gain:+.{digits}f} {found.interval(digits)}'
    return {
        'dataset (metric)': mixture.column,
        'models': f'{mixture.cell.label} over {baseline.cell.label}',
        'seeds': str(seeds),
        'single (paper)': _score(baseline),
        'mixture (paper)': _score(mixture),
        'gain, 95 % interval': gain,
    }


def _score(summary: Summary) -> str:
    paper = f' ({summary.paper})' if summary.paper else ''
    return summary.spread() + paper
