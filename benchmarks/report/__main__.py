"""Makes the pages of the paper's tables from their results.

    python -m benchmarks.report table2

What is between the markers of a page in ``docs/reproduction``, and the
pictures in ``docs/images``, come from ``benchmarks/results/reproduce`` and
from the paper's numbers, which stand with the tables' settings. With ``all``
for the table, all pages and the short table of the README are made. With
``--results`` for other results, such as those of a small run, the pages are
made beside these.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.common import markdown
from benchmarks.common.options import run
from benchmarks.common.place import Place
from benchmarks.common.record import ROOT
from benchmarks.report.grid import grids
from benchmarks.report.headline import headline
from benchmarks.report.plots import draw_cost, draw_curves
from benchmarks.report.summary import Summary, summarise
from benchmarks.report.text import write
from benchmarks.reproduce import store
from benchmarks.reproduce.tables import Table, load_table, table_names

ALL = 'all'


def main(
    table: str,
    results: Path = store.COMMITTED,
    docs: Path | None = None,
    readme: Path | None = None,
) -> None:
    """Writes the page of a table.

    Args:
        table: The name of a table, or ``all``.
        results: The folder of the files of results.
        docs: The folder that holds ``reproduction/<table>.md``. (default:
            ``docs`` for the committed results, ``results`` for others)
        readme: The file for the short table of ``all``. (default:
            ``README.md``, of the checkout for the committed results and in
            ``results`` for others)
    """
    place = Place.choose('reproduce', True, results, docs, store.COMMITTED)
    names = table_names(Table.report)
    if table not in (*names, ALL):
        raise ValueError(
            f"'table' must be one of {[*names, ALL]}, got '{table}'"
        )
    chosen = names if table == ALL else [table]
    found = {name: _report(name, place) for name in chosen}
    if table == ALL:
        folder = results if place.is_own else ROOT
        markdown.update(
            [readme or folder / 'README.md'],
            f'benchmarks.report {ALL}',
            headline(found),
            place.is_own,
        )


def _report(name: str, place: Place) -> dict[str, Summary]:
    table = load_table(name)
    records = store.read(place.results / f'{name}.jsonl')
    summaries, left_out = summarise(table, records)
    parts = [write(table, summaries, left_out)]
    parts.append(
        grids(table, store.read(place.results / f'{name}-search.jsonl'))
    )
    pictures = {
        'Mean curves over seeds': (draw_curves, 'curves'),
        'Test score against cost': (draw_cost, 'cost'),
    }
    for title, (draw, kind) in pictures.items():
        file = f'reproduction-{name}-{kind}.png'
        if draw(list(summaries.values()), place.docs / 'images' / file):
            parts.append(f'![{title}](../images/{file})')
    content = '\n\n'.join(part for part in parts if part)
    place.write_part(
        f'reproduction/{name}.md', f'benchmarks.report {name}', content
    )
    print(content)
    return summaries


if __name__ == '__main__':
    try:
        run(main)
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f'benchmarks.report: error: {error}')
