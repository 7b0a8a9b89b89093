"""Makes the page of a table on nodes or links of one graph.

    python -m benchmarks.reproduce heterogeneity --root $GMOE_DATA_ROOT
    python -m benchmarks.report.one_graph heterogeneity

The first command trains what is missing. The second writes what is between
the markers of ``docs/reproduction/heterogeneity.md``, and its picture. On each
set whose nodes have classes, the best mixture stands beside the best single
network, each chosen by its mean score on validation; test nodes play no part
in it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.common import markdown
from benchmarks.common.options import run
from benchmarks.common.picture import panels, save
from benchmarks.common.place import Place
from benchmarks.report import text
from benchmarks.report.compare import Comparison, compare, cost_ratios
from benchmarks.report.summary import Summary, summarise
from benchmarks.reproduce import store
from benchmarks.reproduce.tables import Table, load_table, table_names

REPORT = 'benchmarks.report.one_graph'
_NONE = '–'


@dataclass(frozen=True)
class Gain:
    """The best mixture of a set beside the best single network.

    Args:
        mixture: The mixture that is best on validation.
        single: The single network that is.
        found: How they compare on test nodes; :obj:`None` with fewer than
            two seeds.
    """

    mixture: Summary
    single: Summary
    found: Comparison | None

    @property
    def homophily(self) -> float:
        """The mean share of a node's neighbours that have its class."""
        value = self.single.records[0].get('homophily')
        return float('nan') if value is None else value


def gains(summaries: Sequence[Summary]) -> list[Gain]:
    """The gain on each set of nodes that has results of both, the most
    heterophilous set first.

    Args:
        summaries: The cells that have results.
    """
    out = []
    for dataset in dict.fromkeys(s.cell.dataset for s in summaries):
        own = [
            s
            for s in summaries
            if s.cell.dataset == dataset and 'homophily' in s.records[0]
        ]
        mixtures = [s for s in own if s.is_mixture]
        singles = [s for s in own if not s.is_mixture]
        if mixtures and singles:
            best = [max(kind, key=_valid) for kind in (mixtures, singles)]
            out.append(Gain(*best, compare(*best)))
    return sorted(out, key=lambda gain: gain.homophily)


def draw_gains(found: Sequence[Gain], path: Path) -> Path | None:
    """Draws the gain of each set against its homophily.

    Args:
        found: The gains.
        path: The file.

    Returns:
        The file, or :obj:`None` where there is nothing to draw.
    """
    shown = [g for g in found if g.found and np.isfinite(g.homophily)]
    if not shown:
        return None
    figure, axes = panels(1, width=7.0, height=4.2)
    axis = axes[0, 0]
    for gain in shown:
        comparison = gain.found
        assert comparison is not None
        ends = [
            [comparison.gain - comparison.low],
            [comparison.high - comparison.gain],
        ]
        decided = comparison.verdict != 'not decided'
        axis.errorbar(
            gain.homophily,
            comparison.gain,
            ends,
            marker='o',
            capsize=3,
            color='C0' if decided else 'gray',
        )
        axis.annotate(
            gain.single.cell.dataset,
            (gain.homophily, comparison.gain),
            textcoords='offset points',
            xytext=(5, 5),
            fontsize=8,
        )
    axis.axhline(0, color='black', lw=0.8)
    axis.set(
        xlabel='homophily: mean share of neighbours of the same class',
        ylabel='gain of the mixture, points',
    )
    axis.grid(alpha=0.3)
    return save(figure, path)


def content(
    table: Table, summaries: dict[str, Summary], left_out: int
) -> list[str]:
    """The parts of the page, without its picture.

    Args:
        table: The table.
        summaries: Its cells that have results.
        left_out: How many results belong to none of its cells.
    """
    missing = [cell for cell in table.cells if cell.name not in summaries]
    command = f'python -m benchmarks.reproduce {table.name}'
    parts = [] if summaries else [f'Not run yet: `{command}`.']
    rows = [_row(gain) for gain in gains(list(summaries.values()))]
    if rows:
        parts += [
            'The best mixture over the best single network of each set, each '
            'chosen on validation. Cost is that of the mixture over that of '
            'the single network:',
            markdown.table_of(rows),
        ]
    if summaries:
        parts.append(text.write(table, summaries, left_out))
    papers = [cell for cell in missing if cell.paper is not None]
    if papers:
        parts += [
            'Without results here (sets of OGB need their files below `ogb`):',
            markdown.table_of(
                [
                    {
                        'dataset': cell.dataset,
                        'model': cell.label,
                        'test (here)': _NONE,
                        'test (paper)': ' ± '.join(
                            f'{value:.2f}' for value in cell.paper or ()
                        ),
                    }
                    for cell in papers
                ]
            ),
        ]
    return parts


def main(
    table: str, results: Path = store.COMMITTED, docs: Path | None = None
) -> None:
    """Writes the page of a table.

    Args:
        table: The name of a table on nodes or links.
        results: The folder of the files of results.
        docs: The folder that holds ``reproduction/<table>.md``. (default:
            ``docs`` for the committed results, ``results`` for others)
    """
    names = table_names(REPORT)
    if table not in names:
        raise ValueError(f"'table' must be one of {names}, got '{table}'")
    place = Place.choose('reproduce', True, results, docs, store.COMMITTED)
    records = store.read(results / f'{table}.jsonl')
    loaded = load_table(table)
    summaries, left_out = summarise(loaded, records)
    parts = content(loaded, summaries, left_out)
    file = f'reproduction-{table}-homophily.png'
    found = gains(list(summaries.values()))
    if draw_gains(found, place.docs / 'images' / file):
        parts.append(f'![Gain against homophily](../images/{file})')
    page = '\n\n'.join(parts)
    place.write_part(f'reproduction/{table}.md', f'{REPORT} {table}', page)
    print(page)


def _row(gain: Gain) -> dict[str, str]:
    found, digits = gain.found, gain.single.digits
    flops, seconds = cost_ratios(gain.mixture, gain.single)
    return {
        'dataset (metric)': gain.single.column,
        'homophily': f'{gain.homophily:.2f}',
        'single': f'{gain.single.cell.label}: {gain.single.spread()}',
        'mixture': f'{gain.mixture.cell.label}: {gain.mixture.spread()}',
        'gain': f'{found.gain:+.{digits}f}' if found else _NONE,
        '95 % interval': found.interval(digits) if found else _NONE,
        'verdict': found.verdict if found else 'needs two seeds',
        'FLOPs': f'{flops:.2f}',
        'time': f'{seconds:.2f}',
    }


def _valid(summary: Summary) -> float:
    return float(summary.scores('valid').mean())


if __name__ == '__main__':
    try:
        run(main)
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f'{REPORT}: error: {error}')
