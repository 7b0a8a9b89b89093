"""The one place that imports OGB's package.

Importing :obj:`ogb` starts a thread that asks the network for a newer
version of it, and its dataset classes ask questions on the terminal. Neither
suits a job on a cluster. This module gives the two parts of OGB that are
needed, the table of its datasets and its evaluator, without either.
"""

import importlib
import importlib.util
import os
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd

from gmoe.common.arguments import check_choice

_MISSING = object()


@dataclass(frozen=True)
class OGBMolInfo:
    """The row of a molecule dataset in OGB's master table.

    Args:
        name: The dataset's name, such as ``ogbg-molhiv``.
        num_tasks: The number of targets of a molecule.
        num_classes: The number of classes of a target, -1 for a value.
        task_type: ``"binary classification"`` or ``"regression"``.
        eval_metric: The score that OGB's Evaluator gives.
        split: The kind of the official split.
        url: The address of the archive.
        download_name: The name of the archive's folder.
        add_inverse_edge: Whether the files have each bond once only.
    """

    name: str
    num_tasks: int
    num_classes: int
    task_type: str
    eval_metric: str
    split: str
    url: str
    download_name: str
    add_inverse_edge: bool

    @property
    def dir_name(self) -> str:
        """The folder that OGB's loader gives the dataset."""
        return self.name.replace('-', '_')


def import_ogb(name: str = 'ogb') -> ModuleType:
    """Imports a module of :obj:`ogb` without its look-up on the network.

    Args:
        name: The module.

    Raises:
        ValueError: If the module is not one of :obj:`ogb`.
    """
    if name.split('.')[0] != 'ogb':
        raise ValueError(f"'name' must be a module of 'ogb', got {name!r}")
    if 'ogb' not in sys.modules:
        # An entry of `None` makes the import of that module fail, and then
        # `ogb` does not look for a newer version.
        outdated = sys.modules.get('outdated', _MISSING)
        ignored = os.environ.get('OUTDATED_IGNORE')
        sys.modules['outdated'] = None  # type: ignore[assignment]
        try:
            importlib.import_module('ogb')
        finally:
            if outdated is _MISSING:
                del sys.modules['outdated']
            else:
                sys.modules['outdated'] = outdated  # type: ignore[assignment]
            if ignored is None:
                os.environ.pop('OUTDATED_IGNORE', None)
            else:
                os.environ['OUTDATED_IGNORE'] = ignored
    return importlib.import_module(name)


@lru_cache(maxsize=1)
def _master_table() -> dict[Any, Any]:
    spec = importlib.util.find_spec('ogb')  # Does not import it.
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(
            "OGB's datasets need the package 'ogb' (`pip install ogb`)"
        )
    folder = Path(spec.submodule_search_locations[0])
    path = folder / 'graphproppred' / 'master.csv'
    table = pd.read_csv(path, index_col=0, dtype=str, keep_default_na=False)
    return table.to_dict()


def ogb_mol_names() -> list[str]:
    """Returns the names of OGB's molecule datasets."""
    return [name for name in _master_table() if name.startswith('ogbg-mol')]


def ogb_mol_info(name: str) -> OGBMolInfo:
    """Returns the row of a molecule dataset in OGB's master table.

    Args:
        name: The name, *e.g.*, :obj:`"ogbg-molhiv"`.

    Raises:
        ValueError: If there is no such dataset.
    """
    check_choice('name', name, ogb_mol_names())
    row = _master_table()[name]
    return OGBMolInfo(
        name=name,
        num_tasks=int(row['num tasks']),
        num_classes=int(row['num classes']),
        task_type=row['task type'],
        eval_metric=row['eval metric'],
        split=row['split'],
        url=row['url'],
        download_name=row['download_name'],
        add_inverse_edge=row['add_inverse_edge'] == 'True',
    )
