"""The paper's tables in short, for the README."""

from __future__ import annotations

from pathlib import Path

from benchmarks import markdown
from benchmarks.report.compare import compare
from benchmarks.report.summary import Summary, summarise
from benchmarks.reproduce import store
from benchmarks.reproduce.tables import load_table

#: The tables whose comparisons are shown.
TABLES = ('table1', 'table2', 'table3')

#: How many seeds a comparison needs to be shown.
MIN_SEEDS = 3

_HEADER = [
    'dataset (metric)',
    'models',
    'seeds',
    'single (paper)',
    'mixture (paper)',
    'gain, 95 % interval',
]


def headline(results: Path) -> str:
    """Mixtures beside their baselines, ours and the paper's.

    Args:
        results: The folder of the files of results.
    """
    rows = []
    for name in TABLES:
        table = load_table(name)
        records = store.read(results / f'{name}.jsonl')
        summaries, _ = summarise(table, records)
        for summary in summaries.values():
            cell = summary.cell
            baseline = summaries.get(f'{cell.dataset}/{cell.baseline}')
            if baseline is not None:
                rows += _row(summary, baseline)
    if not rows:
        return 'Not run yet.'
    return markdown.table(_HEADER, rows)


def _row(mixture: Summary, baseline: Summary) -> list[list[str]]:
    found = compare(mixture, baseline)
    if found is None or found.seeds < MIN_SEEDS:
        return []
    digits = mixture.digits
    arrow = '↓' if mixture.is_better_if_less else '↑'
    return [
        [
            f'{mixture.cell.dataset} ({mixture.metric} {arrow})',
            f'{mixture.cell.label} over {baseline.cell.label}',
            str(found.seeds),
            _score(baseline),
            _score(mixture),
            f'{found.gain:+.{digits}f} '
            f'[{found.low:+.{digits}f}, {found.high:+.{digits}f}]',
        ]
    ]


def _score(summary: Summary) -> str:
    scores, digits = summary.scores(), summary.digits
    text = f'{scores.mean():.{digits}f} ± {scores.std(ddof=1):.{digits}f}'
    if summary.cell.paper is not None:
        mean, std = summary.cell.paper
        text += f' ({mean:.{digits}f} ± {std:.{digits}f})'
    return text
