"""From a file of a table to its cells."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from benchmarks.reproduce.tables.cell import Cell, Table, complete

TABLES = Path(__file__).parent
KINDS = ('network', 'forest')

_CELL_KEYS = {'row', 'dataset', 'paper', 'model', 'data', 'forest'}
_CELL_KEYS |= {'settings_from'}
_ROW_KEYS = {'label', 'kind', 'baseline', 'search', 'model', 'data', 'forest'}


def table_names() -> list[str]:
    """The names of all tables."""
    return sorted(path.stem for path in TABLES.glob('*.yaml'))


def load_table(name: str, epochs: int | None = None) -> Table:
    """Reads a table.

    Args:
        name: The name of its file in ``benchmarks/reproduce/tables``.
        epochs: The number of epochs. (default: that of the protocol)

    Raises:
        ValueError: If there is no such table, or its file is not as it should
            be.
    """
    path = TABLES / f'{name}.yaml'
    if name not in table_names():
        raise ValueError(
            f"'table' must be one of {table_names()}, got '{name}'"
        )
    shared = yaml.safe_load((TABLES / 'shared' / 'rows.yaml').read_text())
    text = yaml.safe_load(path.read_text())
    protocol = shared['protocol']
    protocol = {**protocol, 'epochs': epochs or protocol['epochs']}
    rows = {**shared['rows'], **text.get('rows', {})}
    chosen = read_chosen(name)
    cells = tuple(
        _cell(entry, rows, protocol, chosen, path) for entry in text['cells']
    )
    names = [cell.name for cell in cells]
    for cell in cells:
        _check(names.count(cell.name) == 1, path, f'two cells {cell.name}')
        beside = f'{cell.dataset}/{cell.baseline}'
        _check(
            cell.baseline is None or beside in names,
            path,
            f"'{cell.name}' without its baseline '{beside}'",
        )
    pairs = tuple((first, second) for first, second in text.get('compare', ()))
    for row in {row for pair in pairs for row in pair}:
        used = any(cell.row == row for cell in cells)
        _check(used, path, f"an unknown row '{row}' in 'compare'")
    return Table(
        name, text['title'], text['source'], protocol['seeds'], cells, pairs
    )


def chosen_path(name: str) -> Path:
    """The file of the settings that a search has chosen.

    Args:
        name: The name of a table.
    """
    return TABLES / 'chosen' / f'{name}.yaml'


def read_chosen(name: str) -> dict[str, Any]:
    """What a search has chosen, by the name of the cell.

    Args:
        name: The name of a table.
    """
    path = chosen_path(name)
    return yaml.safe_load(path.read_text()) if path.is_file() else {}


def _cell(
    entry: dict[str, Any],
    rows: dict[str, Any],
    protocol: dict[str, Any],
    chosen: dict[str, Any],
    path: Path,
) -> Cell:
    _check_keys(entry, _CELL_KEYS, ('row', 'dataset'), path)
    _check(entry['row'] in rows, path, f"an unknown row '{entry['row']}'")
    row = rows[entry['row']]
    _check_keys(row, _ROW_KEYS, ('label',), path)
    kind = row.get('kind', 'network')
    _check(kind in KINDS, path, f"'kind' '{kind}', not of {KINDS}")
    parts = ('forest',) if kind == 'forest' else ('model', 'data')
    settings: dict[str, Any] = {
        part: {
            **protocol.get(part, {}),
            **row.get(part, {}),
            **entry.get(part, {}),
        }
        for part in parts
    }
    origin = entry.get('settings_from')
    if kind == 'network':
        settings['epochs'] = protocol['epochs']
        if origin == 'search':
            name = f'{entry["dataset"]}/{entry["row"]}'
            _check(
                name in chosen,
                path,
                f"'settings_from: search' for '{name}', which no search has "
                'chosen',
            )
            settings['model'].update(chosen[name]['model'])
        complete(settings)
    paper = entry.get('paper')
    return Cell(
        row=entry['row'],
        dataset=entry['dataset'],
        label=row['label'],
        kind=kind,
        settings=settings,
        paper=None if paper is None else (float(paper[0]), float(paper[1])),
        baseline=row.get('baseline'),
        search=row.get('search', False),
        settings_from=origin,
    )


def _check_keys(
    entry: dict[str, Any],
    accepted: set[str],
    required: Sequence[str],
    path: Path,
) -> None:
    for key in required:
        _check(key in entry, path, f"'{key}' missing in {entry}")
    for key in entry:
        what = f"an unknown key '{key}', not of {sorted(accepted)}"
        _check(key in accepted, path, what)


def _check(condition: bool, path: Path, what: str) -> None:
    if not condition:
        raise ValueError(f'{path} has {what}')
