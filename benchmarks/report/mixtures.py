"""Makes the page that asks when a mixture pays.

    python -m benchmarks.report.mixtures

Every comparison of a mixture with a network of one convolution a layer that
the tables have results for, from the same records as their pages: paired over
seeds, each pair once, in one table and one picture.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from scipy import stats

from benchmarks.common import markdown
from benchmarks.common.options import run
from benchmarks.common.picture import panels, save
from benchmarks.common.place import Place
from benchmarks.report.compare import Comparison, compare, cost_ratios, pairs
from benchmarks.report.one_graph import REPORT as ONE_GRAPH
from benchmarks.report.one_graph import gains
from benchmarks.report.summary import Summary, summarise
from benchmarks.reproduce import store
from benchmarks.reproduce.tables import Table, load_table, table_names

REPORT = 'benchmarks.report.mixtures'
_COLOURS = {'better': 'C0', 'worse': 'C3', 'not decided': 'gray'}


@dataclass(frozen=True)
class Case:
    """A mixture beside a single network.

    Args:
        table: The table that compares them.
        mixture: The mixture.
        single: The single network.
        found: How they compare.
    """

    table: str
    mixture: Summary
    single: Summary
    found: Comparison

    @property
    def percent(self) -> float:
        """What the gain is multiplied by in the picture: errors of data sets
        have units of their own, so they are shown in percent of the single
        network's; other scores are in points anyway."""
        if not self.single.is_better_if_less:
            return 1.0
        return 100 / float(self.single.scores().mean())


def cases(tables: Sequence[tuple[Table, dict[str, Summary]]]) -> list[Case]:
    """All comparisons of a mixture with a single network that two seeds or
    more have, each once. Where a table of one graph has several of each, the
    best of each on validation are compared.

    Args:
        tables: The tables, with their cells that have results, by name.
    """
    out: dict[tuple[str, ...], Case] = {}
    for table, summaries in tables:
        for mixture, single in _pairs_of(table, summaries):
            found = compare(mixture, single)
            if found is not None:
                # The same runs may stand in several tables.
                both = (mixture, single)
                key = tuple(s.records[0]['digest'] for s in both)
                out.setdefault(key, Case(table.name, *both, found))
    return list(out.values())


def _pairs_of(
    table: Table, summaries: dict[str, Summary]
) -> Iterator[tuple[Summary, Summary]]:
    if table.report == ONE_GRAPH:
        for gain in gains(list(summaries.values())):
            yield gain.mixture, gain.single
        return
    for first, second in pairs(table, summaries):
        is_network = 'model' in second.cell.settings
        if first.is_mixture and is_network and not second.is_mixture:
            yield first, second


def content(found: Sequence[Case]) -> str:
    """The page's generated part, without its picture.

    Args:
        found: The comparisons.
    """
    if not found:
        return 'No table has results of two seeds yet.'
    adjusted = stats.false_discovery_control([c.found.p_value for c in found])
    both = list(zip(found, map(float, adjusted), strict=True))
    counts = Counter(case.found.verdict for case in found)
    kept = Counter(case.found.verdict for case, p in both if p < 0.05)
    return '\n\n'.join(
        [
            f'Of {len(found)} comparisons the mixture is better in '
            f'{counts["better"]}, worse in {counts["worse"]}, and '
            f'{counts["not decided"]} decide nothing. One in twenty '
            'decides something by chance alone: with p-values adjusted for '
            'their number (Benjamini and Hochberg, 5 %), '
            f'{kept["better"]} and {kept["worse"]} are left.',
            markdown.table_of([_row(*each) for each in both]),
        ]
    )


def _row(case: Case, adjusted: float) -> dict[str, str]:
    found, digits = case.found, case.single.digits
    flops, seconds = cost_ratios(case.mixture, case.single)
    return {
        'dataset (metric)': case.single.column,
        'table': f'[{case.table}](reproduction/{case.table}.md)',
        'mixture': case.mixture.cell.label,
        'over': case.single.cell.label,
        'seeds': str(found.seeds),
        'gain': f'{found.gain:+.{digits}f}',
        '95 % interval': found.interval(digits),
        'p, adjusted': f'{adjusted:.3f}',
        'verdict': found.verdict,
        'FLOPs': f'{flops:.2f}',
        'time': f'{seconds:.2f}',
    }


def draw(found: Sequence[Case], path: Path) -> Path | None:
    """Draws the gains with their intervals, scores in points and errors in
    percent of the single network's.

    Args:
        found: The comparisons.
        path: The file.

    Returns:
        The file, or :obj:`None` where there is nothing to draw.
    """
    kinds = [
        ('gain, points', [c for c in found if not _is_error(c)]),
        ('gain, percent of the error', [c for c in found if _is_error(c)]),
    ]
    kinds = [(title, shown) for title, shown in kinds if shown]
    if not kinds:
        return None
    rows = max(len(shown) for _, shown in kinds)
    figure, axes = panels(len(kinds), width=7.5, height=1.2 + 0.24 * rows)
    for axis, (title, shown) in zip(axes[0], kinds):
        _forest(axis, sorted(shown, key=_order))
        axis.set_xlabel(title)
    return save(figure, path)


def _forest(axis: Axes, shown: Sequence[Case]) -> None:
    for place, case in enumerate(shown):
        found, percent = case.found, case.percent
        middle, low, high = (
            percent * value for value in (found.gain, found.low, found.high)
        )
        axis.errorbar(
            middle,
            place,
            xerr=[[middle - low], [high - middle]],
            marker='o',
            capsize=3,
            color=_COLOURS[found.verdict],
        )
    # An interval of two or three seeds would leave no room for the others.
    middles = [c.percent * c.found.gain for c in shown]
    ends = [c.percent * e for c in shown for e in (c.found.low, c.found.high)]
    reach = 1.3 * max(np.quantile(np.abs(ends), 0.9), *np.abs(middles))
    axis.set_xlim(-reach, reach)
    axis.set_yticks(range(len(shown)), [_name(case) for case in shown])
    axis.tick_params(axis='y', labelsize=7)
    axis.axvline(0, color='black', lw=0.8)
    axis.grid(alpha=0.3, axis='x')
    axis.invert_yaxis()


def _name(case: Case) -> str:
    names = [summary.cell.label for summary in (case.mixture, case.single)]
    where = f'{case.table}, {case.found.seeds} seeds'
    return f'{case.single.cell.dataset}: {" over ".join(names)} ({where})'


def _order(case: Case) -> tuple[str, float]:
    return case.single.cell.dataset, -case.found.gain


def _is_error(case: Case) -> bool:
    return case.single.is_better_if_less


def main(results: Path = store.COMMITTED, docs: Path | None = None) -> None:
    """Writes the page.

    Args:
        results: The folder of the files of results.
        docs: The folder that holds ``mixtures.md``. (default: ``docs`` for
            the committed results, ``results`` for others)
    """
    place = Place.choose('reproduce', True, results, docs, store.COMMITTED)
    names = [*table_names(Table.report), *table_names(ONE_GRAPH)]
    # The paper's first, where a pair stands in several.
    names.sort(key=lambda name: not name.startswith('table'))
    tables = []
    for name in names:
        table = load_table(name)
        records = store.read(results / f'{name}.jsonl')
        tables.append((table, summarise(table, records)[0]))
    found = cases(tables)
    parts = [content(found)]
    if draw(found, place.docs / 'images' / 'mixtures.png'):
        parts.append('![Gains of mixtures](images/mixtures.png)')
    page = '\n\n'.join(parts)
    place.write_part('mixtures.md', REPORT, page)
    print(page)


if __name__ == '__main__':
    try:
        run(main)
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f'{REPORT}: error: {error}')
