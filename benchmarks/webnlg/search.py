"""Prints what the search of settings for WebNLG's graph models has found.

    python -m benchmarks.reproduce webnlg-search --root $GMOE_DATA_ROOT/webnlg
    python -m benchmarks.webnlg.search

The first command trains what is missing. Each setting is trained without some
of the root entities, and scored on the entries about these that hold little
else that is known, for several such holdouts. Test entries are never scored.
The score is that after the last epoch, so that the setting that is chosen can
be trained on all training entries.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev

from benchmarks.common import markdown
from benchmarks.common.json_lines import Record
from benchmarks.common.options import run
from benchmarks.reproduce import store


def table(records: Sequence[Record]) -> str:
    """The settings as a Markdown table, the best first."""
    scores: dict[str, list[float]] = {}
    for record in records:
        scores.setdefault(record['row'], []).append(record['valid'])
    rows = []
    for name in sorted(scores, key=lambda name: -mean(scores[name])):
        values = scores[name]
        spread = f' ± {stdev(values):.4f}' if len(values) > 1 else ''
        rows.append([name, f'{mean(values):.4f}{spread}', str(len(values))])
    return markdown.table(['setting', 'weighted F1', 'runs'], rows)


def main(results: Path = store.COMMITTED) -> None:
    """Prints the table.

    Args:
        results: The folder of the file of results.
    """
    print(table(store.read(results / 'webnlg-search.jsonl')))


if __name__ == '__main__':
    run(main, as_positional=False)
