"""Writes the tables and pictures of the study of gating strategies.

    python -m benchmarks.switch.table

Everything comes from ``benchmarks/results/reproduce/switch.jsonl``; only the
published score is given here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import markdown
from benchmarks.common.options import run
from benchmarks.common.picture import legend_below, panels, save
from benchmarks.common.place import Place
from benchmarks.report.compare import compare
from benchmarks.report.summary import Summary, hardware, summarise
from benchmarks.reproduce import store
from benchmarks.reproduce.tables import load_table

NAME = 'benchmarks.switch.table'
PAGE = 'switch.md'
ROUGE = {
    'rouge1': 'ROUGE-1',
    'rouge2': 'ROUGE-2',
    'rougeL': 'ROUGE-L',
    'rougeLsum': 'ROUGE-Lsum',
}
#: Of the public notebook: switch-base-16, linear scores, softmax over all.
PUBLISHED = (
    'published: switch-base-16, linear, softmax, all 16 (validation, 20 '
    'tokens, one seed)'
)
PUBLISHED_SCORES = (47.51, 24.24, 40.07, 44.02)
STACKS = ('encoder', 'decoder')
_NONE = '–'


def scores(found: Sequence[Summary]) -> str:
    """The table of scores on the test split."""
    rows = [
        {
            'model': summary.cell.label,
            'seeds': str(len(summary.records)),
            **{
                name: _spread(r['rouge']['test'][key] for r in summary.records)
                for key, name in ROUGE.items()
            },
            'validation: ROUGE-1': _spread(
                r['rouge']['validation']['rouge1'] for r in summary.records
            ),
            'words a summary': _mean(summary, 'summary_words', digits=1),
        }
        for summary in found
    ]
    published = [f'{value:.2f}' for value in PUBLISHED_SCORES]
    rows.append(
        dict(
            zip(
                rows[0],
                [PUBLISHED, '1', *published, _NONE, _NONE],
                strict=True,
            )
        )
    )
    return markdown.table_of(rows)


def comparisons(found: Sequence[Summary]) -> str:
    """The table of gains over linear scores with softmax over the top two,
    paired over seeds."""
    by_row = {summary.cell.row: summary for summary in found}
    rows = []
    for summary in found:
        # The dense model has one expert.
        num_experts = max(summary.cell.settings.get('num_experts', 0), 8)
        baseline = by_row.get(f'linear-topk-{num_experts}')
        is_trained = 'base' in summary.cell.settings
        if baseline is None or baseline is summary or not is_trained:
            continue
        row = {'models': f'{summary.cell.label} over {baseline.cell.label}'}
        for key, name in ROUGE.items():
            row[name] = _gain(_by(key, summary), _by(key, baseline))
        row['seeds'] = str(min(len(s.records) for s in (summary, baseline)))
        rows.append(row)
    return markdown.table_of(rows)


def _by(key: str, summary: Summary) -> Summary:
    """The same with one of the scores of ROUGE as its own."""
    records = [
        {**r, 'test': r['rouge']['test'][key] / 100} for r in summary.records
    ]
    return dataclasses.replace(summary, records=records)


def _gain(summary: Summary, baseline: Summary) -> str:
    result = compare(summary, baseline)
    if result is None:
        return f'{_NONE} (needs two seeds)'
    return f'{result.gain:+.2f} {result.interval(2)} {result.verdict}'


def routing(found: Sequence[Summary]) -> str:
    """The table of how experts are used on the test split."""
    rows = []
    for summary in found:
        records = [r for r in summary.records if r['routing'] is not None]
        if not records:
            continue
        row = {'model': summary.cell.label}
        for stack in STACKS:
            row[f'{stack}: experts a token'] = _spread(
                r['routing'][stack]['experts_per_token'] for r in records
            )
            row[f'{stack}: 95 % at most'] = _spread(
                r['routing'][stack]['experts_per_token_p95'] for r in records
            )
        row['busiest expert, share'] = _spread(
            r['routing']['busiest_share'] for r in records
        )
        row['idle experts'] = _spread(
            (r['routing']['idle_experts'] for r in records), 1
        )
        rows.append(row)
    return markdown.table_of(rows)


def costs(found: Sequence[Summary]) -> str:
    """The table of what a model costs."""
    rows = []
    for summary in found:
        if summary.records[0]['flops'] is None:
            continue
        flops = [r['flops'] for r in summary.records]
        rows.append(
            {
                'model': summary.cell.label,
                **{
                    f'{stack}: GFLOPs a dialogue': _spread(
                        (f[stack] / 1e9 for f in flops), 3
                    )
                    for stack in STACKS
                },
                'trained parameters': f'{_constant(summary):,}',
                'ms a step': _measured(summary, 'step_milliseconds'),
                'ms a dialogue': _measured(summary, 'dialogue_milliseconds'),
                'seconds a seed': _measured(summary, 'seconds'),
            }
        )
    return markdown.table_of(rows)


def draw(found: Sequence[Summary], path: Path) -> Path | None:
    """Draws ROUGE-1 against FLOPs, and the experts of a token by epoch.

    Returns:
        The file, or :obj:`None` where no model has experts.
    """
    shown = [s for s in found if s.records[0]['flops'] is not None]
    if not shown:
        return None
    figure, axes = panels(3, width=4.6, height=3.6)
    handles: dict[str, Any] = {}
    for number, summary in enumerate(shown):
        style = {'color': f'C{number % 10}', 'marker': 'ox^sv'[number // 10]}
        total = [sum(r['flops'].values()) / 1e9 for r in summary.records]
        values = summary.scores()
        handles[summary.cell.label] = axes[0][0].errorbar(
            np.mean(total),
            values.mean(),
            values.std(ddof=1) if len(values) > 1 else 0.0,
            capsize=3,
            ls='',
            **style,
        )
        for axis, stack in zip(axes[0][1:], STACKS):
            curves = [
                [use[stack]['experts_per_token'] for use in r['epochs']]
                for r in summary.records
                if r['routing'] is not None
            ]
            if curves:
                mean = np.mean(curves, axis=0)
                axis.plot(range(len(mean)), mean, **style)
    axes[0][0].set(xlabel='GFLOPs a dialogue', ylabel='ROUGE-1, test')
    for axis, stack in zip(axes[0][1:], STACKS):
        axis.set(xlabel='epoch', ylabel='experts a token', title=stack)
    for axis in axes[0]:
        axis.grid(alpha=0.3)
    legend_below(figure, handles)
    return save(figure, path)


def _spread(values: Iterable[float], digits: int = 2) -> str:
    values = np.array(list(values), float)
    text = f'{values.mean():.{digits}f}'
    if len(values) > 1 and values.std() > 0:
        text += f' ± {values.std(ddof=1):.{digits}f}'
    return text


def _mean(summary: Summary, key: str, digits: int) -> str:
    return f'{np.mean([r[key] for r in summary.records]):.{digits}f}'


def _measured(summary: Summary, key: str) -> str:
    values = [r['measured'][key] for r in summary.records]
    return _NONE if None in values else f'{np.mean(values):.0f}'


def _constant(summary: Summary) -> int:
    return summary.records[0]['num_parameters']


def main(results: Path = store.COMMITTED, docs: Path | None = None) -> None:
    """Writes tables and pictures.

    Args:
        results: The folder of the file of results.
        docs: The folder of the page. (default: the documentation for the
            committed results, ``results`` for others)
    """
    place = Place.choose('switch', True, results, docs, store.COMMITTED)
    records = store.read(results / 'switch.jsonl')
    if not records:
        raise SystemExit(f"'results' must hold switch.jsonl, got '{results}'")
    found = _summaries(records, place.is_own)
    parts: tuple[tuple[str, Callable[[Sequence[Summary]], str]], ...] = (
        ('scores', scores),
        ('comparisons', comparisons),
        ('routing', routing),
        ('costs', costs),
    )
    for name, make in parts:
        place.write_part(PAGE, f'{NAME} {name}', make(found))
    machines = f'Made on: {"; ".join(hardware(found))}.'
    place.write_part(PAGE, f'{NAME} machines', machines)
    print(f'Wrote {draw(found, place.docs / "images" / "switch.png")}')


def _summaries(
    records: Sequence[dict[str, Any]], is_own: bool
) -> list[Summary]:
    table = load_table('switch')
    if not is_own:
        return list(summarise(table, records)[0].values())
    # A small run has settings of its own: the newest ones of each row.
    out = []
    for cell in table.cells:
        rows = [r for r in records if r['row'] == cell.row]
        rows = [r for r in rows if r['digest'] == rows[-1]['digest']]
        if rows:
            out.append(Summary(cell, sorted(rows, key=lambda r: r['seed'])))
    return out


if __name__ == '__main__':
    run(main)
