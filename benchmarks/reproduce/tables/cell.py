"""A table and its cells."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

#: The size of the single networks that mixtures cost as much as.
HIDDEN_CHANNELS = 300

#: The kinds of cells that can be tried on a slice of their data.
_SLICED = (
    'links',
    'nodes',
    'webnlg_graph',
    'webnlg_text',
    'switch',
    'extractive',
)


@dataclass(frozen=True)
class Cell:
    """One number of a table.

    Args:
        row: The name of its row: a model.
        dataset: The name of its column, such as ``molesol``.
        label: What the model is called in print.
        kind: The module of ``benchmarks.reproduce.kinds`` that trains it.
        settings: All that decides on a result besides the seed.
        paper: The paper's mean and standard deviation, as printed.
        baseline: The row that it is compared with.
        search: Whether its settings are searched for.
        settings_from: Where its settings come from.
        is_fixed: Whether all seeds give the same result.
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
    is_fixed: bool = False

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
        settings['model'].pop('hidden_channels', None)
        complete(settings)
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
        report: The module that makes its report.
        root: The folder of its datasets by default.
    """

    name: str
    title: str
    source: str
    seeds: int
    cells: tuple[Cell, ...]
    compare: tuple[tuple[str, str], ...] = ()
    report: str = 'benchmarks.report'
    root: str = 'data/ogb'

    def change(self, changes: dict[str, Any]) -> Table:
        """The same table with other settings of all cells that have them.

        Args:
            changes: The settings that differ.

        Raises:
            ValueError: If no cell has such a setting.
        """
        known = {key for cell in self.cells for key in cell.settings}
        for name in changes:
            if name not in known:
                raise ValueError(
                    f"'set' must name one of {sorted(known)}, got '{name}'"
                )
        return self._with(
            lambda cell: {
                k: changes[k] for k in changes.keys() & cell.settings
            }
        )

    def quick(self) -> Table:
        """The same table with one epoch, those of texts on a slice of their
        data, to see that all of it runs."""
        return self._with(
            lambda cell: {
                **({'epochs': 1} if 'epochs' in cell.settings else {}),
                **({'quick': True} if cell.kind in _SLICED else {}),
            }
        )

    def _with(self, changes: Callable[[Cell], dict[str, Any]]) -> Table:
        cells = (
            replace(cell, settings={**cell.settings, **changes(cell)})
            for cell in self.cells
        )
        return replace(self, cells=tuple(cells))

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


def complete(settings: dict[str, Any]) -> None:
    """Fills in what follows from the numbers of experts: the hop-2 edges, and
    the size of a mixture where it is not given. ``equal_cost`` divides a given
    size by the root of that many experts.

    Args:
        settings: The settings of a network.
    """
    model, data = settings['model'], settings['data']
    if 'equal_cost' in model:
        width = model['hidden_channels'] / math.sqrt(model.pop('equal_cost'))
        model['hidden_channels'] = round(width)
    if 'top_k' in model and 'hidden_channels' not in model:
        # gmoe.nn.hidden_for_equal_cost, without the time to import it.
        width = HIDDEN_CHANNELS / math.sqrt(model['top_k'])
        model['hidden_channels'] = round(width)
    experts = model.get('num_experts', 1)
    has_hop_2 = model.get('num_experts_1hop', experts) < experts
    data['two_hop'] = 'exact' if has_hop_2 else None
