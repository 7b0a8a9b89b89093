"""Writes the table of the runner's own cost into the docs.

    python -m benchmarks.runner_cost_table

The rows come from ``benchmarks/results/runner_cost.json``.
"""

from __future__ import annotations

from typing import Any

from jsonargparse import auto_cli

from benchmarks import markdown
from benchmarks.record import ROOT, read_result
from benchmarks.runner_cost import NAME as RESULT

NAME = 'benchmarks.runner_cost_table'
DOCS = ROOT / 'docs' / 'reproduction.md'


def table(record: dict[str, Any] | None) -> str:
    """The rows as a Markdown table, with what there is once per command.

    Args:
        record: The result, or :obj:`None` if there is none.
    """
    if record is None:
        command = 'python -m benchmarks.runner_cost --root data/ogb'
        return f'Not run yet: `{command}`.'
    rows = [
        [
            row['name'],
            f'{row["seconds"]:.2f}',
            f'{row["epoch_seconds"]:.2f}',
            f'{100 * row["share"]:.1f} %',
        ]
        for row in record['rows']
    ]
    header = [
        f'{record["dataset"]}, {record["epochs"]} epochs',
        'seconds per run',
        'of them epochs',
        "the runner's share",
    ]
    note = (
        f'Means of {record["seeds"]} runs. Once per command, '
        f'{record["start_seconds"]:.1f} s go by before the first run starts '
        f'and {record["end_seconds"]:.1f} s after the last one. '
        f'{record["processor"]}, threads: {record["threads"]}.'
    )
    return f'{markdown.table(header, rows)}\n\n{note}'


def main() -> None:
    """Writes the table."""
    markdown.update([DOCS], NAME, table(read_result(RESULT)))


if __name__ == '__main__':
    auto_cli(main)
