"""The results of a search, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.common import markdown
from benchmarks.report.summary import Summary, summarise
from benchmarks.reproduce import search
from benchmarks.reproduce.store import Record
from benchmarks.reproduce.tables import Table


def grids(table: Table, records: Sequence[Record]) -> str:
    """The validation scores of all settings, a table for each cell that was
    searched; empty if there is none.

    Args:
        table: The table.
        records: The results of its search.
    """
    if not records:
        return ''
    candidates = replace(table, cells=tuple(search.candidates(table.cells)))
    summaries, _ = summarise(candidates, records, 'valid')
    parts = []
    for cell in table.cells:
        own = [
            summary
            for name, summary in summaries.items()
            if search.searched(name) == cell.name
        ]
        if own:
            parts += [_title(own), _grid(own)]
    return '\n\n'.join(parts)


def _title(summaries: Sequence[Summary]) -> str:
    first = summaries[0]
    best = 'least' if first.is_better_if_less else 'most'
    return (
        f'Search of {first.cell.label} on {first.cell.dataset}: '
        f'{first.metric} on validation, the {best} of which is chosen '
        f'(seeds: {len(first.records)}, epochs: {first.epochs}):'
    )


def _grid(summaries: Sequence[Summary]) -> str:
    scores = {
        _place(summary): float(summary.scores('valid').mean())
        for summary in summaries
    }
    best = min if summaries[0].is_better_if_less else max
    chosen = best(scores.values())
    digits = summaries[0].digits
    columns = sorted({place[2:] for place in scores})
    rows = []
    for n, m in sorted({place[:2] for place in scores}):
        row = [f'n={n}, m={m}']
        for column in columns:
            score = scores.get((n, m, *column))
            text = '–' if score is None else f'{score:.{digits}f}'
            row.append(f'**{text}**' if score == chosen else text)
        rows.append(row)
    header = ['', *(f'k={k}, λ={weight:g}' for k, weight in columns)]
    return markdown.table(header, rows)


def _place(summary: Summary) -> tuple[int, int, int, float]:
    model = summary.cell.settings['model']
    return (
        model['num_experts'],
        model['num_experts_1hop'],
        model['top_k'],
        model['balance_weight'],
    )
