"""Which molecules of a table are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gmoe.datasets.molecules.info import MULTICLASS, MoleculeInfo
from gmoe.datasets.molecules.molecule import Molecule, Refused
from gmoe.datasets.molecules.skipped import Skipped
from gmoe.datasets.molecules.table import MoleculeTable
from gmoe.datasets.molecules.targets import MIN_LABELS


class Kept(NamedTuple):
    """The molecules of a table that can be learned from.

    Args:
        positions: Where they are in the table.
        canonical: Their canonical SMILES strings.
        skipped: The rows that are left out, and why.
    """

    positions: list[int]
    canonical: list[str]
    skipped: list[Skipped]


def choose(table: MoleculeTable, found: Sequence[Molecule | Refused]) -> Kept:
    """Keeps molecules that have a label, and a part where there are some.

    Args:
        table: The table.
        found: What was decided about each SMILES string.
    """
    is_missing = np.isnan(table.y)
    if table.info.task_type == MULTICLASS:
        is_missing = table.y == -1
    kept = Kept([], [], [])
    for i, molecule in enumerate(found):
        if isinstance(molecule, Refused):
            reason = molecule.reason
        elif is_missing[i].all():
            reason = 'no label'
        elif table.split is not None and not table.split[i]:
            reason = 'in no part of the split'
        else:
            kept.positions.append(i)
            kept.canonical.append(molecule.canonical)
            continue
        kept.skipped.append(Skipped(table.row[i], table.smiles[i], reason))
    return kept


def check_kept(y: np.ndarray, info: MoleculeInfo, num_skipped: int) -> None:
    """Checks that something can be learned from what is kept.

    Args:
        y: The targets of the molecules that are kept, :math:`(N, T)`.
        info: The columns and the kind of the targets.
        num_skipped: How many rows are left out.

    Raises:
        ValueError: If molecules are too few, or have only one value.
    """
    if len(y) < MIN_LABELS:
        raise ValueError(
            f'The file must have at least {MIN_LABELS} molecules with labels '
            f'that are kept, got {len(y)}: {num_skipped} are left out'
        )
    if info.num_tasks == 1 and (y == y[0]).all():
        raise ValueError(
            f"The target '{info.targets[0]}' must have several values among "
            'the molecules that are kept, got only one'
        )
