"""What is said about rows that are the same molecule."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gmoe.common.shown import counted
from gmoe.datasets.molecules.groups import molecules


def describe_copies(
    canonical: Sequence[str],
    row: Sequence[int],
    y: np.ndarray,
    part: Sequence[str] | None = None,
) -> list[str]:
    r"""Says how many rows are copies of others, how many of these have other
    labels, and how many are in several parts of a split.

    Args:
        canonical: The canonical SMILES strings.
        row: The line of each in the file.
        y: The targets :math:`(N, T)`.
        part: The part of each; :obj:`None` without.
    """
    groups = [group for group in molecules(canonical) if len(group) > 1]
    if not groups:
        return []
    copies = sum(map(len, groups)) - len(groups)
    rows = 'row is a copy' if copies == 1 else 'rows are copies'
    kinds = counted(len(groups), 'molecule')
    said = [f'{copies} {rows} of {kinds}: kept']
    other = [group for group in groups if _conflicts(y[group])]
    if other:
        lines = [row[i] for i in other[0][:5]]
        said.append(
            f'  with several labels for the same target: {len(other)} of '
            f'{kinds}, as in lines {lines}: all are learned'
        )
    if part is not None:
        leaks = [g for g in groups if len({part[i] for i in g}) > 1]
        if leaks:
            lines = [row[i] for i in leaks[0][:5]]
            said.append(
                f'  LEAK: in several parts of the split: {len(leaks)} of '
                f'{kinds}, as in lines {lines}: scores on these are too good'
            )
    return said


def _conflicts(y: np.ndarray) -> bool:
    with np.errstate(invalid='ignore'):
        least = np.nanmin(np.where(np.isnan(y), np.inf, y), axis=0)
        most = np.nanmax(np.where(np.isnan(y), -np.inf, y), axis=0)
    return bool((most > least).any())
