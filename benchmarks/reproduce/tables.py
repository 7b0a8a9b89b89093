"""The tables: which cells there are, and with which settings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from benchmarks.common.record import ROOT

TABLES = ROOT / 'benchmarks' / 'tables'
KINDS = ('network', 'forest')

#: The size of the single networks that mixtures cost as much as.
HIDDEN_CHANNELS = 300

_CELL_KEYS = {'row', 'dataset', 'paper', 'model', 'data', 'forest'}
_CELL_KEYS |= {'settings_from'}
_ROW_KEYS = {'label', 'kind', 'baseline', 'search', 'model', 'data', 'forest'}


@dataclass(frozen=True)
class Cell:
    """One number of a table.

    Args:
        row: The name of its row: a model.
        dataset: The name of its column, such as ``molesol``.
        label: What the model is called in print.
        kind: One of :obj:`KINDS`.
        settings: All that decides on a result besides the seed.
        paper: The paper's mean and standard deviation, as printed.
        baseline: The row that it is compared with.
        search: Whether its settings are searched for.
        settings_from: Where its settings come from.
    """

    row: str
    dataset: str
    label: str
    kind: str
    settings: dict[str, Any]
    paper: tuple[float, float] | None = None
    baseline: str | None = None
    search: bool = False
    settings_from: str | None = None

    @property
    def name(self) -> str:
        """The name of the cell in its table."""
        return f'{self.dataset}/{self.row}'

    def with_model(self, model: dict[str, Any]) -> Cell:
        """The same cell with other settings of the model.

        Args:
            model: The settings that differ.
        """
        settings = deepcopy(self.settings)
        settings['model'].update(model)
        _complete(settings)
        return replace(self, settings=settings)


@dataclass(frozen=True)
class Table:
    """A table.

    Args:
        name: The name of its file.
        title: What it is about.
        source: Where the paper has it.
        seeds: The number of seeds by default.
        cells: Its cells.
        compare: Pairs of rows to compare, the first with the second, besides
            those of each row with its baseline.
    """

    name: str
    title: str
    source: str
    seeds: int
    cells: tuple[Cell, ...]
    compare: tuple[tuple[str, str], ...] = ()

    def select(
        self, rows: Iterable[str] | None, datasets: Iterable[str] | None
    ) -> list[Cell]:
        """Some of the cells.

        Args:
            rows: The names of rows, or of cells as ``dataset/row``.
                (default: all)
            datasets: The names of datasets. (default: all)

        Raises:
            ValueError: If there is no such row or dataset.
        """
        known = sorted({c.row for c in self.cells})
        names = {c.name for c in self.cells}
        for row in rows or ():
            if row not in known and row not in names:
                raise ValueError(
                    f"'cells' must be of {known}, or one of them with its "
                    f"dataset such as '{self.cells[0].name}', got '{row}'"
                )
        columns = sorted({c.dataset for c in self.cells})
        for dataset in datasets or ():
            if dataset not in columns:
                raise ValueError(
                    f"'datasets' must be of {columns}, got '{dataset}'"
                )
        return [
            cell
            for cell in self.cells
            if (rows is None or {cell.row, cell.name} & set(rows))
            and (datasets is None or cell.dataset in set(datasets))
        ]


def table_names() -> list[str]:
    """The names of all tables."""
    return sorted(path.stem for path in TABLES.glob('*.yaml'))


def load_table(name: str, epochs: int | None = None) -> Table:
    """Reads a table.

    Args:
        name: The name of its file in ``benchmarks/tables``.
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
        _complete(settings)
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


def _complete(settings: dict[str, Any]) -> None:
    # What follows from the numbers of experts.
    model, data = settings['model'], settings['data']
    if 'top_k' in model:
        # gmoe.nn.hidden_for_equal_cost, without the time to import it.
        width = HIDDEN_CHANNELS / math.sqrt(model['top_k'])
        model['hidden_channels'] = round(width)
    experts = model.get('num_experts', 1)
    has_hop_2 = model.get('num_experts_1hop', experts) < experts
    data['two_hop'] = 'exact' if has_hop_2 else None


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
