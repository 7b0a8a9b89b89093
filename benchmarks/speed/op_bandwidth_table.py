"""Writes the table of the ops' bandwidth into the docs.

    python -m benchmarks.speed.op_bandwidth_table

The rows come from ``benchmarks/results/op_bandwidth.json``.
"""

from __future__ import annotations

import json
from typing import Any

from benchmarks.common import markdown
from benchmarks.common.options import run
from benchmarks.common.record import RESULTS, ROOT
from benchmarks.speed.op_bandwidth import SHARES, share

NAME = 'benchmarks.speed.op_bandwidth_table'
PATH = ROOT / 'docs' / 'performance.md'
RESULT = RESULTS / 'op_bandwidth.json'


def load() -> list[dict[str, Any]]:
    """The rows of the last recorded run of :mod:`.op_bandwidth`."""
    return json.loads(RESULT.read_text())['rows']


def table(rows: list[dict[str, Any]]) -> str:
    """The shares of the copy's bandwidth as a Markdown table.

    Args:
        rows: The rows of the result file.
    """
    return markdown.table(
        ['case', 'batch', 'copy in GB/s', *SHARES],
        [
            [row['name'], str(row['batch']), f'{row["copy_gb_per_s"]:.1f}']
            + [share(row, name) for name in SHARES]
            for row in rows
        ],
    )


def main() -> None:
    """Writes the table."""
    markdown.update([PATH], NAME, table(load()))


if __name__ == '__main__':
    run(main)
