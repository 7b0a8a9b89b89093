"""Makes the page of the table on links.

    python -m benchmarks.reproduce table5 --datasets ogbl-ddi
    python -m benchmarks.report.links

The first command trains what is missing. The second writes what is between
the markers of ``docs/reproduction/table5.md``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.common import markdown
from benchmarks.common.options import run
from benchmarks.common.place import Place
from benchmarks.report import text
from benchmarks.report.summary import Summary, summarise
from benchmarks.reproduce import store
from benchmarks.reproduce.tables import Table, load_table

NAME = 'table5'
REPORT = 'benchmarks.report.links'


def content(table: Table, summaries: dict[str, Summary], left_out: int) -> str:
    """What is between the markers.

    Args:
        table: The table.
        summaries: Its cells that have results.
        left_out: How many results belong to none of its cells.
    """
    command = f'python -m benchmarks.reproduce {table.name}'
    parts = [f'Not run yet: `{command} --datasets ogbl-ddi`.']
    if summaries:
        parts = [text.write(table, summaries, left_out)]
    missing = [
        {
            'dataset': cell.dataset,
            'model': cell.label,
            'test (paper)': ' ± '.join(f'{x:.2f}' for x in cell.paper),
        }
        for cell in table.cells
        if cell.name not in summaries and cell.paper is not None
    ]
    if missing:
        parts += ['Without results here:', markdown.table_of(missing)]
    return '\n\n'.join(parts)


def main(results: Path = store.COMMITTED, docs: Path | None = None) -> None:
    """Writes the page.

    Args:
        results: The folder of the files of results.
        docs: The folder that holds ``reproduction/table5.md``. (default:
            ``docs`` for the committed results, ``results`` for others)
    """
    place = Place.choose('reproduce', True, results, docs, store.COMMITTED)
    table = load_table(NAME)
    records = store.read(results / f'{NAME}.jsonl')
    page = content(table, *summarise(table, records))
    place.write_part(f'reproduction/{NAME}.md', REPORT, page)
    print(page)


if __name__ == '__main__':
    try:
        run(main)
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f'{REPORT}: error: {error}')
