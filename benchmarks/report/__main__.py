"""Makes the table and the plots of a table of the paper from its results.

    python -m benchmarks.report table2

Everything between the table's markers in ``docs/reproduction.md`` and the
pictures in ``docs/images`` come from ``benchmarks/results/reproduce``, and
from the paper's numbers in ``benchmarks/tables``. With ``all`` for the table,
the short table of the README is made too.
"""

from __future__ import annotations

import sys
from pathlib import Path

from jsonargparse import auto_cli

from benchmarks import markdown
from benchmarks.record import RESULTS, ROOT
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
    docs: Path = ROOT / 'docs',
    readme: Path = ROOT / 'README.md',
) -> None:
    """Writes the report of a table.

    Args:
        table: The name of a file of ``benchmarks/tables``, or ``all``.
        results: The folder of the files of results.
        docs: The folder of ``reproduction.md``.
        readme: The file for the short table of ``all``.
    """
    for name in table_names() if table == ALL else [table]:
        _report(name, results, docs)
    if table == ALL:
        _insert(readme, f'benchmarks.report {ALL}', headline(results))


def _report(name: str, results: Path, docs: Path) -> None:
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
    _insert(docs / 'reproduction.md', f'benchmarks.report {name}', content)
    print(content)


def _insert(page: Path, name: str, content: str) -> None:
    text = page.read_text()
    for marker in markdown.markers(name):
        if text.count(marker) != 1:
            raise ValueError(f"'{page}' must have one line '{marker}'")
    markdown.update([page], name, content)


if __name__ == '__main__':
    try:
        auto_cli(main)
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f'benchmarks.report: error: {error}')
