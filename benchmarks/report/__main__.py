"""Makes the table and the plots of a table of the paper from its results.

    python -m benchmarks.report table2

Everything between the table's markers in ``docs/reproduction.md`` and the
pictures in ``docs/images`` come from ``benchmarks/results/reproduce``, and
from the paper's numbers in ``benchmarks/tables``. With ``all`` for the table,
the short table of the README is made too. With ``--results`` for other
results, such as those of a small run, the page is made beside these.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.common import markdown
from benchmarks.common.options import run
from benchmarks.common.place import Place
from benchmarks.common.record import RESULTS, ROOT
from benchmarks.report.grid import grids
from benchmarks.report.headline import headline
from benchmarks.report.plots import draw_cost, draw_curves
from benchmarks.report.summary import summarise
from benchmarks.report.text import write
from benchmarks.reproduce import store
from benchmarks.reproduce.tables import load_table, table_names

ALL = 'all'


def main(
    table: str,
    results: Path = RESULTS / 'reproduce',
    docs: Path | None = None,
    readme: Path | None = None,
) -> None:
    """Writes the report of a table.

    Args:
        table: The name of a file of ``benchmarks/tables``, or ``all``.
        results: The folder of the files of results.
        docs: The folder of ``reproduction.md``. (default: ``docs`` for the
            committed results, ``results`` for others)
        readme: The file for the short table of ``all``. (default:
            ``README.md``, of the checkout for the committed results and in
            ``results`` for others)
    """
    committed = RESULTS / 'reproduce'
    place = Place.choose('reproduce', True, results, docs, committed)
    for name in table_names() if table == ALL else [table]:
        _report(name, place)
    if table == ALL:
        folder = results if place.is_own else ROOT
        readme = readme or folder / 'README.md'
        part = f'benchmarks.report {ALL}'
        _insert(readme, part, headline(results), place.is_own)


def _report(name: str, place: Place) -> None:
    results, docs = place.results, place.docs
    table = load_table(name)
    records = store.read(results / f'{name}.jsonl')
    summaries, left_out = summarise(table, records)
    content = write(table, summaries, left_out)
    found = grids(table, store.read(results / f'{name}-search.jsonl'))
    if found:
        content += f'\n\n{found}'
    images = docs / 'images'
    shown = list(summaries.values())
    if shown:
        curves = images / f'reproduction-{name}-curves.png'
        cost = images / f'reproduction-{name}-cost.png'
        if draw_curves(shown, curves) is not None:
            content += f'\n\n![Mean curves over seeds](images/{curves.name})'
        draw_cost(shown, cost)
        content += f'\n\n![Test score against cost](images/{cost.name})'
    page = docs / 'reproduction.md'
    _insert(page, f'benchmarks.report {name}', content, place.is_own)
    print(content)


def _insert(page: Path, name: str, content: str, create: bool) -> None:
    text = '' if create else page.read_text()
    for marker in () if create else markdown.markers(name):
        if text.count(marker) != 1:
            raise ValueError(f"'{page}' must have one line '{marker}'")
    markdown.update([page], name, content, create)


if __name__ == '__main__':
    try:
        run(main)
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f'benchmarks.report: error: {error}')
