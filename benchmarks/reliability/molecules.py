"""Counts OGB's molecules that are made again as they are, and molecules of
which all spellings give one graph.

    python -m benchmarks.reliability.molecules --root data/ogb

All molecules of OGB's datasets that have SMILES strings are made again from
these, with the code of ``gmoe.datasets.from_smiles``. Releases of RDKit differ
in what is aromatic, a stereo bond or a valence, and the datasets were made
with older ones: what differs is counted by its column, with a word where
OGB's own functions give the same today. Then molecules are
drawn that have stereo centres or bonds, charges or several fragments, and are
spelled at random: from another atom on, in another order of the branches, with
explicit hydrogens and bonds, with alternating bonds for aromatic ones.
"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from rdkit import Chem

from benchmarks.common.options import run
from gmoe.datasets import OGBMolDataset, import_ogb
from gmoe.datasets.molecules.codes import Codes, codes
from gmoe.datasets.molecules.molecule import Refused, prepare_molecule, read
from gmoe.datasets.molecules.parallel import map_chunks

NAMES = (
    'ogbg-molbbbp',
    'ogbg-molbace',
    'ogbg-molesol',
    'ogbg-molfreesolv',
    'ogbg-mollipo',
    'ogbg-molsider',
    'ogbg-moltox21',
    'ogbg-moltoxcast',
    'ogbg-molhiv',
    'ogbg-molmuv',
)
COLUMNS = (
    'element',
    'chirality',
    'degree',
    'charge',
    'hydrogens',
    'radical electrons',
    'hybridisation',
    'aromatic atom',
    'atom in a ring',
)
#: What a drawn molecule has one of at least.
SIGNS = ('@', '/', '+', '.')


def again(
    dataset: OGBMolDataset, every: int = 1, num_workers: int | None = None
) -> Counter[str]:
    """Counts molecules that are made again as they are.

    Args:
        dataset: The molecules.
        every: Which of them, such as each tenth.
        num_workers: The number of processes.
    """
    counts: Counter[str] = Counter()
    index = range(0, len(dataset), every)
    smiles = [dataset.smiles(i) for i in index]
    made: list[Codes | None] = []
    for part in map_chunks(_codes, smiles, num_workers, dataset.name):
        made += part
    for i, found in zip(index, made):
        counts['molecules'] += 1
        if found is None:
            counts['refused by this RDKit'] += 1
            continue
        difference = _difference(found, dataset[i])
        if difference and _is_of_ogb(found, smiles[counts['molecules'] - 1]):
            difference += ', as OGB has it with this RDKit'
        counts[difference or 'same'] += 1
    return counts


def spellings(
    smiles: list[str], count: int, seed: int = 0, per_molecule: int = 8
) -> Counter[str]:
    """Counts molecules of which all spellings give the same bits.

    Args:
        smiles: Molecules to draw from.
        count: How many are drawn.
        seed: The seed of the choice and of the spellings.
        per_molecule: How many spellings each has.
    """
    generator = random.Random(seed)
    known = [text for text in smiles if any(sign in text for sign in SIGNS)]
    counts: Counter[str] = Counter()
    for text in generator.sample(known, min(count, len(known))):
        first = prepare_molecule(text)
        if isinstance(first, Refused):
            continue
        counts['molecules'] += 1
        expected = codes(first[1])
        is_same = True
        for number in range(per_molecule):
            found = prepare_molecule(_spelled(text, number, generator))
            is_same &= not isinstance(found, Refused) and all(
                np.array_equal(a, b) for a, b in zip(expected, codes(found[1]))
            )
        counts['one graph' if is_same else 'several graphs'] += 1
    return counts


def _codes(smiles: list[str]) -> list[Codes | None]:
    molecules = [read(text) for text in smiles]
    return [None if m is None else codes(m) for m in molecules]


def _difference(made: Codes, data: Any) -> str | None:
    edge = data.edge_index.t()[::2].numpy()
    if made.x.shape != tuple(data.x.shape) or not np.array_equal(
        made.edge, edge
    ):
        return 'other atoms or bonds'
    columns = (made.x != data.x.numpy()).any(axis=0)
    if columns.any():
        return f'other {COLUMNS[int(columns.argmax())]}'
    if not np.array_equal(made.edge_attr, data.edge_attr[::2].numpy()):
        return 'other bond'
    return None


def _is_of_ogb(made: Codes, smiles: str) -> bool:
    features = import_ogb('ogb.utils.features')
    molecule = read(smiles)
    x = [features.atom_to_feature_vector(a) for a in molecule.GetAtoms()]
    bonds = molecule.GetBonds()
    edge_attr = [features.bond_to_feature_vector(bond) for bond in bonds]
    return made.x.tolist() == x and made.edge_attr.tolist() == edge_attr


def _spelled(smiles: str, number: int, generator: random.Random) -> str:
    molecule = read(smiles)
    size = molecule.GetNumAtoms()
    order = generator.sample(range(size), size)
    molecule = Chem.RenumberAtoms(molecule, order)
    kind = number % 4
    if kind == 1:
        Chem.Kekulize(molecule, clearAromaticFlags=True)
    elif kind == 2:
        molecule = Chem.AddHs(molecule)
    return Chem.MolToSmiles(
        molecule,
        canonical=False,
        allBondsExplicit=kind == 3,
        allHsExplicit=kind == 3,
    )


def main(
    root: Path = Path('data/ogb'),
    every: int = 1,
    drawn: int = 300,
    num_workers: int | None = None,
) -> None:
    """Prints the counts.

    Args:
        root: The folder of OGB's datasets.
        every: Which molecules, such as each tenth.
        drawn: How many molecules of each dataset are spelled at random.
        num_workers: The number of processes.
    """
    for name in NAMES:
        dataset = OGBMolDataset(name, root, download=False)
        smiles = [dataset.smiles(i) for i in range(0, len(dataset), every)]
        print(f'{name}:', dict(again(dataset, every, num_workers)))
        print(f'  spellings: {dict(spellings(smiles, drawn))}', flush=True)


if __name__ == '__main__':
    run(main)
