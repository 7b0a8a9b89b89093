"""Reads the file of a table into its cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from benchmarks.common.record import ROOT
from benchmarks.reproduce.tables.cell import Cell, Table, complete

TABLES = Path(__file__).parent

#: The kinds of cells, and the parts of their settings.
KINDS = {
    'network': ('model', 'data'),
    'links': ('model', 'data'),
    'forest': ('forest',),
    'boosting': ('boosting',),
    'chemprop': ('chemprop',),
    'nodes': ('model', 'data'),
    'webnlg_graph': ('model', 'data'),
    'webnlg_text': ('text',),
    'switch': ('text',),
    'extractive': ('text',),
}
#: Those that count epochs.
_WITH_EPOCHS = ('network', 'links', 'nodes', 'webnlg_graph', 'webnlg_text')
#: Settings that most cells go without: folds in place of the official split,
#: how weights are averaged, after how many epochs without a better score a
#: training ends, and the bound of gradients.
_OPTIONAL = ('split', 'averaging', 'patience', 'gradient_clip_val')
_PARTS = {part for parts in KINDS.values() for part in parts}
_CELL_KEYS = {'row', 'dataset', 'epochs', 'paper', 'settings_from', *_PARTS}
_ROW_KEYS = {'label', 'like', 'kind', 'baseline', 'search', 'is_fixed'}
_ROW_KEYS |= {
    'config',
    'recipe',
    'averaging',
    'patience',
    'epochs',
    'settings_from',
    *_PARTS,
}


def table_names(report: str | None = None) -> list[str]:
    """The names of all tables.

    Args:
        report: The module that makes their reports. (default: any)
    """
    return sorted(
        path.stem
        for path in TABLES.glob('*.yaml')
        if report is None or report == _read(path).get('report', Table.report)
    )


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
    text = _read(path)
    shared = _read(TABLES / 'shared' / 'rows.yaml')
    protocol = text.get('protocol', shared['protocol'])
    rows = {**shared['rows'], **text.get('rows', {})}
    chosen = read_chosen(name)
    cells = tuple(
        _cell(entry, rows, protocol, chosen, path) for entry in _entries(text)
    )
    pairs = tuple((first, second) for first, second in text.get('compare', ()))
    _check_names(cells, pairs, path)
    table = Table(
        name,
        text['title'],
        text['source'],
        protocol['seeds'],
        cells,
        pairs,
        **{key: text[key] for key in ('report', 'root') if key in text},
    )
    return table if epochs is None else table.change({'epochs': epochs})


def chosen_path(name: str) -> Path:
    """The file of the settings that a search has chosen.

    Args:
        name: The name of a table.
    """
    return TABLES / 'chosen' / f'{name}.yaml'


def read_chosen(name: str) -> dict[str, Any]:
    """The settings that a search has chosen, by the name of the cell.

    Args:
        name: The name of a table.
    """
    path = chosen_path(name)
    return _read(path) if path.is_file() else {}


def _read(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text())


def _entries(text: dict[str, Any]) -> Iterator[dict[str, Any]]:
    # One may be of several rows, or all that the table defines, and datasets,
    # in the order of the two keys.
    for entry in text['cells']:
        names = {key: entry[key] for key in entry if key in ('row', 'dataset')}
        if names.get('row') == '*':
            names['row'] = list(text['rows'])
        lists = [v if isinstance(v, list) else [v] for v in names.values()]
        for values in product(*lists):
            yield {**entry, **dict(zip(names, values, strict=True))}


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
    _check_keys(row, _ROW_KEYS, (), path)
    base = rows.get(row.get('like'), {})
    kind = row.get('kind', protocol.get('kind', 'network'))
    _check(kind in KINDS, path, f"'kind' '{kind}', not of {[*KINDS]}")
    origin = entry.get('settings_from', row.get('settings_from'))
    found = {}
    if origin == 'search':
        name = f'{entry["dataset"]}/{entry["row"]}'
        what = f"'settings_from: search' for '{name}', which no search has "
        _check(name in chosen, path, f'{what}chosen')
        found = {'model': chosen[name]['model']}
    config, recipe = _config(row, 'config'), _config(row, 'recipe')
    layers = [config, protocol, recipe, base, row, entry, found]
    paper = entry.get('paper')
    return Cell(
        row=entry['row'],
        dataset=entry['dataset'],
        label=row.get('label', entry['row']),
        kind=kind,
        settings=_settings(kind, layers),
        paper=None if paper is None else (float(paper[0]), float(paper[1])),
        baseline=row.get('baseline', base.get('baseline')),
        search=row.get('search', False),
        settings_from=origin,
        is_fixed=row.get('is_fixed', False),
    )


def _config(row: dict[str, Any], key: str) -> dict[str, Any]:
    # The settings of a configuration of the command line: what a protocol
    # changes, or, as a recipe, what changes the protocol.
    if key not in row:
        return {}
    config = _read(ROOT / row[key])
    data = dict(config['data']['init_args'])
    data.pop('root', None)
    return {
        'model': config['model']['init_args'],
        'data': data,
        'epochs': config['trainer']['max_epochs'],
        **{key: config[key] for key in _OPTIONAL if key in config},
    }


def _settings(kind: str, layers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    # Each layer changes those before it.
    settings: dict[str, Any] = {
        part: {
            k: v for layer in layers for k, v in layer.get(part, {}).items()
        }
        for part in KINDS[kind]
    }
    if KINDS[kind] == ('text',):
        return settings['text']
    if kind in _WITH_EPOCHS:
        epochs = [layer['epochs'] for layer in layers if 'epochs' in layer]
        settings['epochs'] = epochs[-1]
    if kind in ('network', 'nodes'):
        complete(settings)
    for key in _OPTIONAL:
        values = [layer[key] for layer in layers if key in layer]
        if values and values[-1] is not None:
            settings[key] = values[-1]
    return settings


def _check_names(
    cells: Sequence[Cell], pairs: Sequence[tuple[str, str]], path: Path
) -> None:
    names = [cell.name for cell in cells]
    for cell in cells:
        _check(names.count(cell.name) == 1, path, f'two cells {cell.name}')
        beside = f'{cell.dataset}/{cell.baseline}'
        _check(
            cell.baseline is None or beside in names,
            path,
            f"'{cell.name}' without its baseline '{beside}'",
        )
    for row in {row for pair in pairs for row in pair}:
        used = any(cell.row == row for cell in cells)
        _check(used, path, f"an unknown row '{row}' in 'compare'")


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
