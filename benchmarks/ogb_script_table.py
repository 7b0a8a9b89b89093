"""Writes the table of seconds per epoch beside OGB's script into the docs.

    python -m benchmarks.ogb_script_table

The rows come from ``benchmarks/results/ogb_script.json``.
"""

from __future__ import annotations

from typing import Any

from jsonargparse import auto_cli

from benchmarks import markdown
from benchmarks.ogb_script import NAME as RESULT
from benchmarks.record import ROOT, read_result

NAME = 'benchmarks.ogb_script_table'
DOCS = ROOT / 'docs' / 'performance.md'


def table(record: dict[str, Any] | None) -> str:
    """The rows as a Markdown table, with how they were measured.

    Args:
        record: The result, or :obj:`None` if there is none.
    """
    if record is None:
        command = 'python -m benchmarks.ogb_script --root data/ogb'
        return f'Not run yet: `{command}`.'
    rows = [
        [
            row['label'],
            f'{row["seconds"]:.2f}',
            f'{row["parts"]["train"]:.2f}',
            f'{row["ratio"]:.2f} ({row["ratio_min"]:.2f} to '
            f'{row["ratio_max"]:.2f})',
        ]
        for row in record['rows']
    ]
    header = [
        f'{record["dataset"]}, {record["threads"]} threads',
        'seconds per epoch',
        'of them training',
        "ratio to OGB's script",
    ]
    note = (
        f'Medians of {record["rounds"]} epochs, the ratios within each round '
        f'with their range; {record["processor"]}, PyTorch '
        f'{record["environment"]["torch"]}.'
    )
    return f'{markdown.table(header, rows)}\n\n{note}'


def main() -> None:
    """Writes the table."""
    markdown.update([DOCS], NAME, table(read_result(RESULT)))


if __name__ == '__main__':
    auto_cli(main)
