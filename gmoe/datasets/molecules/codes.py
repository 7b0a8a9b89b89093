"""OGB's codes of the atoms and bonds of a molecule."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from gmoe.common.require import require

_CHIRALITY = ('UNSPECIFIED', 'TETRAHEDRAL_CW', 'TETRAHEDRAL_CCW', 'OTHER')
_HYBRIDIZATION = ('SP', 'SP2', 'SP3', 'SP3D', 'SP3D2')
_BOND_TYPE = ('SINGLE', 'DOUBLE', 'TRIPLE', 'AROMATIC')
_STEREO = ('NONE', 'Z', 'E', 'CIS', 'TRANS', 'ANY')

# The number of values of an element, a degree, a charge from its least on, a
# number of hydrogens and of radical electrons. What is beyond has the code
# after them.
_ELEMENTS, _DEGREES, _CHARGES, _HYDROGENS, _RADICALS = 118, 11, 11, 9, 5
_LEAST_CHARGE = -5


class Codes(NamedTuple):
    r"""The codes of a molecule, as the columns that OGB's datasets have.

    Args:
        x: Those of the atoms, uint8 :math:`(|V|, 9)`.
        edge: The two atoms of each bond, int32 :math:`(|E| / 2, 2)`.
        edge_attr: Those of the bonds, uint8 :math:`(|E| / 2, 3)`.
    """

    x: np.ndarray
    edge: np.ndarray
    edge_attr: np.ndarray


def codes(molecule: Any) -> Codes:
    """Returns the codes that OGB gives the atoms and bonds of a molecule.
    OGB's own functions look them up as text, which takes twice as long.

    Args:
        molecule: A molecule of RDKit.

    Raises:
        ValueError: If OGB has no code for a bond's stereo.
    """
    known = _tables()
    chirality, hybridization = known.chirality, known.hybridization
    # Arrays of bytes are made several times faster than of lists.
    x = bytearray()
    for atom in molecule.GetAtoms():
        x += bytes(
            (
                _below(atom.GetAtomicNum() - 1, _ELEMENTS),
                chirality.get(atom.GetChiralTag(), len(_CHIRALITY)),
                _below(atom.GetTotalDegree(), _DEGREES),
                _below(atom.GetFormalCharge() - _LEAST_CHARGE, _CHARGES),
                _below(atom.GetTotalNumHs(), _HYDROGENS),
                _below(atom.GetNumRadicalElectrons(), _RADICALS),
                hybridization.get(
                    atom.GetHybridization(), len(_HYBRIDIZATION)
                ),
                atom.GetIsAromatic(),
                atom.IsInRing(),
            )
        )
    edge, edge_attr = [], bytearray()
    for bond in molecule.GetBonds():
        stereo = known.stereo.get(bond.GetStereo())
        if stereo is None:
            raise ValueError(
                f'A bond must have a stereo of {list(_STEREO)}, for which '
                f'OGB has codes, got {bond.GetStereo()}'
            )
        edge += [bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()]
        kind = known.bond_type.get(bond.GetBondType(), len(_BOND_TYPE))
        edge_attr += bytes((kind, stereo, bond.GetIsConjugated()))
    return Codes(
        np.frombuffer(x, dtype=np.uint8).reshape(-1, 9),
        np.array(edge, dtype=np.int32).reshape(-1, 2),
        np.frombuffer(edge_attr, dtype=np.uint8).reshape(-1, 3),
    )


def _below(value: int, count: int) -> int:
    return value if 0 <= value < count else count


class _Tables(NamedTuple):
    chirality: dict[Any, int]
    hybridization: dict[Any, int]
    bond_type: dict[Any, int]
    stereo: dict[Any, int]


@functools.cache
def _tables() -> _Tables:
    chem = require('rdkit.Chem', 'mol')

    def table(kind: Any, prefix: str, names: tuple[str, ...]) -> dict:
        values = [kind.names[prefix + name] for name in names]
        return {value: i for i, value in enumerate(values)}

    return _Tables(
        table(chem.ChiralType, 'CHI_', _CHIRALITY),
        table(chem.HybridizationType, '', _HYBRIDIZATION),
        table(chem.BondType, '', _BOND_TYPE),
        table(chem.BondStereo, 'STEREO', _STEREO),
    )
