"""Writes the table of large graphs into the docs.

    python -m benchmarks.speed.scale_table

The rows come from ``benchmarks/results/scale.json``.
"""

from __future__ import annotations

from typing import Any

from benchmarks.common import markdown
from benchmarks.common.options import run
from benchmarks.common.record import ROOT, read_result

NAME = 'benchmarks.speed.scale_table'
PATH = ROOT / 'docs' / 'nodes.md'


def content(result: dict[str, Any]) -> str:
    """How it was measured, and a row for each graph.

    Args:
        result: What :mod:`.scale` wrote.
    """
    threads = result['threads']
    plural = 's' if threads > 1 else ''
    rows = [
        {
            'nodes': f'{row["num_nodes"]:,}',
            'edges': f'{row["num_edges"]:,}',
            'parts': str(row['num_parts']),
            'edges between parts': f'{row["share_between_parts"]:.0%}',
            'cutting': _seconds(row, 'cut'),
            'an epoch': _seconds(row, 'epoch'),
            'validation': _seconds(row, 'validation'),
            'peak of memory': f'{row["peak_gb"]:.2f} GB',
        }
        for row in result['rows']
    ]
    return (
        f'Seconds of the clock, and in brackets those of the processor, with '
        f'{threads} thread{plural} of an\n{result["processor"]} on which '
        f'others may have run:\n\n{markdown.table_of(rows)}'
    )


def _seconds(row: dict[str, Any], name: str) -> str:
    return f'{row[f"{name}_s"]:,.0f} ({row[f"{name}_cpu_s"]:,.0f})'


def main() -> None:
    """Writes the table.

    Raises:
        SystemExit: If nothing was measured.
    """
    result = read_result('scale')
    if result is None:
        raise SystemExit('first run python -m benchmarks.speed.scale')
    markdown.update([PATH], NAME, content(result))


if __name__ == '__main__':
    run(main)
