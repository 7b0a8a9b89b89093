"""Writes the tables and the picture of step times into the docs.

    python -m benchmarks.speed.step_time_table

The rows come from ``benchmarks/results/step_time.json``, and those without
oneDNN from ``step_time_mkl.json`` beside it.
"""

from __future__ import annotations

import json
import re
from typing import Any

from benchmarks.common import markdown
from benchmarks.common.options import run
from benchmarks.common.record import RESULTS, ROOT
from benchmarks.speed.step_time import RATIOS, ratio
from benchmarks.speed.step_time_plot import draw

NAME = 'benchmarks.speed.step_time_table'
PATH = ROOT / 'docs' / 'performance.md'
PICTURE = ROOT / 'docs' / 'images' / 'step_time.png'
#: The name of each table's place in the docs, and its result file.
TABLES = {
    NAME: RESULTS / 'step_time.json',
    f'{NAME} mkl': RESULTS / 'step_time_mkl.json',
}

PROFILE = f'{NAME} profile'


def load(name: str = NAME) -> list[dict[str, Any]]:
    """The rows of the last recorded run of :mod:`benchmarks.speed.step_time`.

    Args:
        name: A key of :obj:`TABLES`.
    """
    return json.loads(TABLES[name].read_text())['rows']


def table(rows: list[dict[str, Any]]) -> str:
    """The ratios as a Markdown table.

    Args:
        rows: The rows of the result file.
    """
    return markdown.table(
        ['row', 'batch', *RATIOS],
        [
            [row['name'], str(row['batch'])]
            + [ratio(row, *names) for names in RATIOS.values()]
            for row in rows
        ],
    )


def profile_table(rows: list[dict[str, Any]]) -> str:
    """The ops in which gmoe's training step spends its time, as a Markdown
    table.

    Args:
        rows: The rows of the result file; those without a profile are left
            out.
    """
    return markdown.table(
        ['row', 'batch', 'share of the training step'],
        [
            [
                row['name'],
                str(row['batch']),
                ', '.join(
                    f'{_readable(op)} {100 * share:.0f} %'
                    for op, share in row['gmoe_profile'].items()
                    if share >= 0.02
                ),
            ]
            for row in rows
            if 'gmoe_profile' in row
        ],
    )


def _readable(op: str) -> str:
    # The forward pass of an op counts as the node that it adds to the graph.
    forward = re.fullmatch(r'GeneratedBackwardFor_gmoe_(\w+)_default', op)
    if forward:
        return f'`{forward[1]}`'
    if op.startswith('gmoe::'):
        name = op.removeprefix('gmoe::')
        if name.endswith('_backward'):
            return f'`{name.removesuffix("_backward")}` backward'
        return f'`{name}`'
    return f'`{op.removeprefix("aten::")}`'


def main() -> None:
    """Writes the tables and the picture."""
    for name in TABLES:
        markdown.update([PATH], name, table(load(name)))
    markdown.update([PATH], PROFILE, profile_table(load()))
    draw(load(), PICTURE)


if __name__ == '__main__':
    run(main)
