"""The search of settings, on validation only.

Its runs do not even score the test split.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.reproduce.run import Run
from benchmarks.reproduce.store import Key, Record
from benchmarks.reproduce.tables import Cell, chosen_path
from gmoe.common.files import replace_text

NUM_EXPERTS = (4, 8)
TOP_K = (1, 2, 4)
BALANCE_WEIGHT = (0.1, 1.0)


def grid() -> list[dict[str, Any]]:
    """The settings of the paper's search space."""
    return [
        {
            'num_experts': n,
            'num_experts_1hop': m,
            'top_k': k,
            'balance_weight': weight,
        }
        for n in NUM_EXPERTS
        for m, k, weight in itertools.product(
            (0, n // 2, n), TOP_K, BALANCE_WEIGHT
        )
    ]


def candidates(cells: Iterable[Cell]) -> list[Cell]:
    """One cell for each of the settings of each cell that is searched.

    Args:
        cells: The cells of a table.

    Raises:
        ValueError: If none of them is searched.
    """
    out = []
    for cell in cells:
        for model in grid() if cell.search else ():
            other = cell.with_model(model)
            other.settings['data']['test_curve'] = False
            name = 'n{num_experts}-m{num_experts_1hop}-k{top_k}-lambda'
            name = name.format(**model) + f'{model["balance_weight"]:g}'
            row = f'{cell.row}@{name}'
            out.append(replace(other, row=row, settings_from='grid'))
    if not out:
        raise ValueError(
            "'cells' must have one whose row has 'search: true' with "
            "'--search', got none"
        )
    return out


def searched(name: str) -> str:
    """The row or the cell that a candidate is of; others are as they are.

    Args:
        name: The name of the candidate.
    """
    return name.split('@')[0]


def choose(
    plan: Sequence[Cell], seeds: Sequence[int], records: dict[Key, Record]
) -> dict[str, Any]:
    """Takes the settings with the best mean validation score, the first of
    equal ones, for each cell whose whole grid is there.

    Args:
        plan: What :func:`candidates` returned.
        seeds: The seeds of each candidate.
        records: The results.

    Returns:
        What is chosen, by the name of the cell.
    """
    groups: dict[str, list[Cell]] = {}
    for cell in plan:
        groups.setdefault(searched(cell.name), []).append(cell)
    chosen = {}
    for name, cells in groups.items():
        found = [[records.get(Run(c, s).key) for s in seeds] for c in cells]
        if all(record is not None for row in found for record in row):
            chosen[name] = _best(cells, found, seeds)
    return chosen


def write_chosen(
    table: str, chosen: dict[str, Any], path: Path | None = None
) -> Path:
    """Records what was chosen; what is there of other cells stays.

    Args:
        table: The name of the table.
        chosen: What :func:`choose` returned.
        path: The file. (default: the one that the table's cells refer to)
    """
    path = path or chosen_path(table)
    there = yaml.safe_load(path.read_text()) if path.is_file() else None
    merged = dict(sorted({**(there or {}), **chosen}.items()))
    head = (
        f'# Made by python -m benchmarks.reproduce {table} --search: the '
        'best on validation.\n'
    )
    replace_text(path, head + yaml.safe_dump(merged, sort_keys=False))
    return path


def _best(
    cells: Sequence[Cell], found: Sequence[Sequence[Record]], seeds: Any
) -> dict[str, Any]:
    from gmoe.training import METRIC_MODES

    sign = 1 if METRIC_MODES[found[0][0]['metric']] == 'max' else -1
    means = [
        np.mean(
            [-np.inf if r['valid'] is None else sign * r['valid'] for r in row]
        )
        for row in found
    ]
    best = int(np.argmax(means))
    model = cells[best].settings['model']
    return {
        'model': {key: model[key] for key in grid()[0]},
        'valid': round(float(sign * means[best]), 6),
        'candidates': len(cells),
        'seeds': list(seeds),
        'epochs': cells[best].settings['epochs'],
    }
