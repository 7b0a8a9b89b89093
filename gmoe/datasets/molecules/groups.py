"""Groups of molecules that a split keeps together, and their order."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from gmoe.common.require import require
from gmoe.datasets.molecules.molecule import read
from gmoe.datasets.molecules.parallel import map_chunks

#: The positions of the molecules of each group, increasing, the groups in
#: the order of their first molecules.
Groups = list[np.ndarray]


def molecules(smiles: Sequence[str]) -> Groups:
    """Groups copies of a molecule.

    Args:
        smiles: The canonical SMILES strings.
    """
    return _same(smiles)


def scaffolds(smiles: Sequence[str]) -> Groups:
    """Groups molecules by their scaffolds: the rings and what links them
    (`Bemis and Murcko 1996 <https://doi.org/10.1021/jm9602928>`_), with
    chirality. Molecules without a ring have one in common, without atoms.

    Args:
        smiles: The canonical SMILES strings.
    """
    found: list[str] = []
    for part in map_chunks(_scaffolds, smiles, label='Scaffolds'):
        found += part
    return _same(found)


def targets_order(groups: Groups, y: np.ndarray) -> np.ndarray:
    r"""The order of groups by their targets: by the one with the largest
    skew first, as of the rarest class, then by the next. Missing targets come
    last.

    Args:
        groups: The groups.
        y: The targets :math:`(N, T)`, :obj:`NaN` where they are missing.
    """
    mean = np.full((len(groups), y.shape[1]), np.inf)
    for i, group in enumerate(groups):
        rows = y[group]
        for t in np.flatnonzero(~np.isnan(rows).all(axis=0)):
            mean[i, t] = np.nanmean(rows[:, t])
    known = np.where(np.isfinite(mean), mean, np.nan)
    skew = [_skew(known[:, t]) for t in range(y.shape[1])]
    # The last key of `lexsort` is the first one.
    return np.lexsort([mean[:, t] for t in np.argsort(skew, kind='stable')])


def _skew(values: np.ndarray) -> float:
    values = values[~np.isnan(values)]
    if values.size == 0 or values.std() == 0:
        return 0.0
    z = (values - values.mean()) / values.std()
    return abs(float((z**3).mean()))


def _scaffolds(smiles: list[str]) -> list[str]:
    scaffold = require('rdkit.Chem.Scaffolds.MurckoScaffold', 'mol')
    return [
        scaffold.MurckoScaffoldSmiles(mol=read(text), includeChirality=True)
        for text in smiles
    ]


def _same(keys: Sequence[Hashable]) -> Groups:
    found: dict[Hashable, list[int]] = {}
    for i, key in enumerate(keys):
        found.setdefault(key, []).append(i)
    return [np.array(group) for group in found.values()]
