"""Molecules in the codes of the pretrained networks of Hu et al. 2020."""

from __future__ import annotations

from typing import Any

import torch
from torch_geometric.data import Data

from gmoe.common.require import require
from gmoe.common.shown import shown
from gmoe.datasets.molecules.molecule import read

#: What graphs in these codes are marked with.
FEATURIZATION = 'pretrain-gnns'
#: The categories: elements with a mask, and chirality; kinds of bonds with a
#: self-loop and a mask, and directions.
ATOM_DIMS, BOND_DIMS = (120, 3), (6, 3)
NUM_ELEMENTS, ATOM_MASK = 118, 119
NUM_BONDS, SELF_LOOP, BOND_MASK = 4, 4, 5


def pretrain_gnns_graph(smiles: str) -> Data:
    r"""Makes a graph of a SMILES string in the codes of the pretrained
    networks, as they read molecules. Needs RDKit, ``pip install
    "gmoe[mol]"``.

    Atoms and bonds that they have no code for, such as dummy atoms and dative
    bonds, have the code of a mask.

    Args:
        smiles: The SMILES string. Hydrogens are left implicit.

    Shapes:
        - **graph:** :obj:`x` :math:`(|V|, 2)` with element and chirality,
          :obj:`edge_index` :math:`(2, |E|)` with each bond in both
          directions, :obj:`edge_attr` :math:`(|E|, 2)` with the kind of the
          bond and its direction beside a double bond, all int64; the string
          as :obj:`smiles`, and the mark :obj:`featurization`,
          ``'pretrain-gnns'``

    Raises:
        ImportError: If RDKit is not installed.
        ValueError: If RDKit cannot read it, or it has no atom.
    """
    molecule = read(smiles) if isinstance(smiles, str) else None
    if molecule is None or molecule.GetNumAtoms() == 0:
        raise ValueError(
            "'smiles' must be the SMILES string of at least one atom, which "
            f'RDKit can read, got {shown(smiles)}'
        )
    chem: Any = require('rdkit.Chem', 'mol')
    tags, kinds, directions = (
        [getattr(kind, name) for name in names]
        for kind, names in (
            (chem.ChiralType, ('CHI_TETRAHEDRAL_CW', 'CHI_TETRAHEDRAL_CCW')),
            (chem.BondType, ('SINGLE', 'DOUBLE', 'TRIPLE', 'AROMATIC')),
            (chem.BondDir, ('ENDUPRIGHT', 'ENDDOWNRIGHT')),
        )
    )
    x, edges, attr = [], [], []
    for atom in molecule.GetAtoms():
        number = atom.GetAtomicNum() - 1
        x.append(
            (
                number if 0 <= number < NUM_ELEMENTS else ATOM_MASK,
                _index(tags, atom.GetChiralTag(), -1) + 1,
            )
        )
    for bond in molecule.GetBonds():
        ends = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        edges += [ends, ends[::-1]]
        attr += 2 * [
            (
                _index(kinds, bond.GetBondType(), BOND_MASK),
                _index(directions, bond.GetBondDir(), -1) + 1,
            )
        ]
    return Data(
        x=torch.tensor(x),
        edge_index=torch.tensor(edges).view(-1, 2).t().long().contiguous(),
        edge_attr=torch.tensor(attr).view(-1, 2).long(),
        smiles=smiles,
        featurization=FEATURIZATION,
    )


def _index(values: list[Any], value: Any, other: int) -> int:
    return values.index(value) if value in values else other
