"""What atoms are, in the words of chemists: for reports on experts."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from gmoe.common.require import require

#: The kinds of properties.
ATOM, RING, DEGREE, AROMATIC, GROUP = KINDS = (
    'atom type',
    'ring size',
    'degree',
    'aromaticity',
    'functional group',
)
#: Rings and degrees from these on are counted together.
LARGEST_RING, LARGEST_DEGREE = 8, 4

Property = tuple[str, str]


def atom_properties(molecule: Any) -> dict[Property, np.ndarray]:
    """The properties of the atoms of a molecule.

    Functional groups are the 85 fragments that RDKit counts
    (``rdkit.Chem.Fragments``), with the atoms that match their patterns.

    Args:
        molecule: The molecule of RDKit.

    Returns:
        For each property that occurs, its kind and its name, which atoms
        have it, of shape :math:`(N)`.
    """
    size = molecule.GetNumAtoms()
    found: dict[Property, np.ndarray] = {}

    def mark(kind: str, name: str, atom: int) -> None:
        key = (kind, name)
        if key not in found:
            found[key] = np.zeros(size, dtype=bool)
        found[key][atom] = True

    rings = molecule.GetRingInfo()
    for i, atom in enumerate(molecule.GetAtoms()):
        mark(ATOM, atom.GetSymbol(), i)
        mark(AROMATIC, _aromatic(atom), i)
        ring = rings.MinAtomRingSize(i)
        mark(RING, _counted('ring of', ring, LARGEST_RING, 'no ring'), i)
        degree = atom.GetDegree()
        mark(DEGREE, _counted('degree', degree, LARGEST_DEGREE), i)
    for name, pattern in functional_groups():
        for match in molecule.GetSubstructMatches(pattern, maxMatches=1000):
            for i in match:
                mark(GROUP, name, i)
    return found


@lru_cache(maxsize=1)
def functional_groups() -> tuple[tuple[str, Any], ...]:
    """The names and patterns of RDKit's functional groups."""
    config = require('rdkit.RDConfig', 'mol')
    chem = require('rdkit.Chem', 'mol')
    path = Path(config.RDDataDir) / 'FragmentDescriptors.csv'
    groups = []
    for line in path.read_text(encoding='utf-8').splitlines():
        parts = [part.strip() for part in line.split('\t')]
        if line.startswith(('#', '//')) or len(parts) < 3:
            continue
        pattern = chem.MolFromSmarts(parts[2])
        if pattern is not None:
            name = parts[1].strip('"').removeprefix('Number of ')
            groups.append((name or parts[0], pattern))
    return tuple(groups)


def _aromatic(atom: Any) -> str:
    return 'aromatic' if atom.GetIsAromatic() else 'not aromatic'


def _counted(word: str, count: int, most: int, none: str = '') -> str:
    if count == 0 and none:
        return none
    return f'{word} {most} or more' if count >= most else f'{word} {count}'
