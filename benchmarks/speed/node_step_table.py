"""Writes the table of training steps of node networks into the docs.

    python -m benchmarks.speed.node_step_table

The rows come from ``benchmarks/results/node_step.json``.
"""

from __future__ import annotations

from typing import Any

from benchmarks.common import markdown
from benchmarks.common.options import run
from benchmarks.common.record import ROOT, read_result
from benchmarks.speed.node_step import PEERS

NAME = 'benchmarks.speed.node_step_table'
PATH = ROOT / 'docs' / 'performance.md'

#: The names of the peers in print.
LABELS = {
    'single': 'single here',
    'stock': 'PyG on edges',
    'sparse': 'PyG on a sparse matrix',
}


def content(result: dict[str, Any]) -> str:
    """How it was measured, and a row for each mixture.

    Args:
        result: What :mod:`.node_step` wrote.
    """
    threads = result['threads']
    plural = 's' if threads > 1 else ''
    rows = [
        {
            'graph': row['dataset'],
            'experts': row['conv'],
            '*n*': str(row['num_experts']),
            'ms': f'{row["mixture_ms"]:,.0f}',
            **{f'over {LABELS[peer]}': _ratios(row, peer) for peer in PEERS},
        }
        for row in result['rows']
    ]
    return (
        f'Medians of {result["rounds"]} turns, {threads} thread{plural} of an '
        f'{result["processor"]}. Time,\nand in brackets peak memory, over '
        f'those of the peers:\n\n{markdown.table_of(rows)}'
    )


def _ratios(row: dict[str, Any], peer: str) -> str:
    time = row[f'times_as_long_as_{peer}']
    memory = row[f'times_the_memory_of_{peer}']
    shown = '–' if memory is None else f'{memory:.2f}'
    return f'{time:.2f} ({shown})'


def main() -> None:
    """Writes the table.

    Raises:
        SystemExit: If nothing was measured.
    """
    result = read_result('node_step')
    if result is None:
        raise SystemExit('first run python -m benchmarks.speed.node_step')
    markdown.update([PATH], NAME, content(result))


if __name__ == '__main__':
    run(main)
