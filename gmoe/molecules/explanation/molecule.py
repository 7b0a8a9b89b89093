"""A molecule as it was written and as the network reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch_geometric.data import Data

from gmoe.common.require import require
from gmoe.common.shown import shown
from gmoe.datasets.molecules.features import MoleculeFeatures
from gmoe.datasets.molecules.graphs import graphs_of
from gmoe.datasets.molecules.info import MoleculeInfo
from gmoe.datasets.molecules.molecule import (
    Refused,
    parse,
    prepare_molecule,
)


@dataclass(frozen=True)
class ExplainedMolecule:
    """A molecule whose prediction is explained.

    Networks read the canonical form of a molecule, whose atoms are in an
    order of their own. What is told of atoms is told in the order in which
    the user has written them.

    Args:
        smiles: The SMILES string, as it was written.
        canonical: The canonical one, which was read.
        molecule: The molecule of RDKit, in the order of :obj:`smiles`.
        order: The atom of the graph of each atom of :obj:`smiles`.
        data: The graph.
    """

    smiles: str
    canonical: str
    molecule: Any
    order: np.ndarray
    data: Data

    @property
    def num_atoms(self) -> int:
        """The number of atoms, without implicit hydrogens."""
        return len(self.order)

    @property
    def symbols(self) -> list[str]:
        """The symbols of the elements, in the order of :obj:`smiles`."""
        return [atom.GetSymbol() for atom in self.molecule.GetAtoms()]


def read_molecule(
    smiles: str,
    info: MoleculeInfo | None = None,
    columns: np.ndarray | None = None,
) -> ExplainedMolecule | Refused:
    """Reads a molecule for an explanation.

    Args:
        smiles: The SMILES string.
        info: What the network was trained on, which tells the features
            beside the graph. (default: there are none)
        columns: The values of the columns that the network reads beside the
            graph, of shape :math:`(C)`, if any.

    Raises:
        ValueError: If they are missing.
    """
    found = prepare_molecule(smiles)
    if isinstance(found, Refused):
        return found
    written = parse(smiles)
    assert not isinstance(written, Refused)
    features = None
    if info is not None and info.features is not None:
        features = MoleculeFeatures.from_dict(info.features)
    graphs, reasons = graphs_of(
        [smiles], features, 0, None if columns is None else columns[None]
    )
    if graphs[0] is None:
        return Refused(reasons[0])
    return ExplainedMolecule(
        smiles,
        found[0].canonical,
        written[0],
        atom_order(written[0], found[1]),
        graphs[0],
    )


def atom_order(molecule: Any, canonical: Any) -> np.ndarray:
    """The atom of the canonical form of each atom of a molecule. Of atoms
    that are alike by symmetry, any may stand for another.

    Args:
        molecule: The molecule of RDKit.
        canonical: The same in another order.

    Raises:
        ValueError: If they are not the same molecule.
    """
    for use_chirality in (True, False):
        match = molecule.GetSubstructMatch(
            canonical, useChirality=use_chirality
        )
        if len(match) == molecule.GetNumAtoms() == canonical.GetNumAtoms():
            order = np.empty(len(match), dtype=np.int64)
            order[list(match)] = np.arange(len(match))
            return order
    chem = require('rdkit.Chem', 'mol')
    raise ValueError(
        "'canonical' must be the molecule in another order, got "
        f'{shown(chem.MolToSmiles(canonical))} for '
        f'{shown(chem.MolToSmiles(molecule))}'
    )
