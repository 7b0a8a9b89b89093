from pathlib import Path

import numpy as np
import pytest

from gmoe.datasets import OGBMolDataset, import_ogb
from gmoe.datasets.molecules.codes import codes
from gmoe.datasets.molecules.molecule import read

pytest.importorskip('rdkit')

# All kinds of stereo, charges, radicals, valences, metals, dummy atoms.
MOLECULES = ['C', 'CCO', 'C/C=C/C', 'C/C=C\\C', 'C[C@H](N)O', 'C[C@@H](N)O']
MOLECULES += ['[Na+].[Cl-]', '*C', '[CH3]', '[O]', 'FS(F)(F)(F)(F)F', 'C#N']
MOLECULES += [
    '[Fe+3]',
    'c1ccccc1',
    'N->[Pt]',
    '[U+6]',
    '[2H]C',
    'FP(F)(F)(F)F',
]
MOLECULES += ['C[Si](C)(C)C', '[C-]#[O+]', '[H][H]', 'F[Pt@SP1](Cl)(Br)I']


def reference(molecule):
    """OGB's own functions."""
    features = import_ogb('ogb.utils.features')
    x = [features.atom_to_feature_vector(a) for a in molecule.GetAtoms()]
    bonds = list(molecule.GetBonds())
    edge = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in bonds]
    edge_attr = [features.bond_to_feature_vector(bond) for bond in bonds]
    return x, edge, edge_attr


def assert_like_reference(molecule):
    found = codes(molecule)
    for array, expected in zip(found, reference(molecule)):
        assert array.tolist() == [list(row) for row in expected]
    shapes = [array.shape[1] for array in found]
    assert shapes == [9, 2, 3]
    dtypes = [array.dtype for array in found]
    assert dtypes == [np.uint8, np.int32, np.uint8]


@pytest.mark.parametrize('smiles', MOLECULES)
def test_like_ogb(smiles: str):
    assert_like_reference(read(smiles))


@pytest.mark.parametrize(
    'name', ['ogbg-molbbbp', 'ogbg-molsider', 'ogbg-moltox21', 'ogbg-molhiv']
)
def test_like_ogb_on_its_molecules(data_root: Path, name: str):
    dataset = OGBMolDataset(name, data_root / 'ogb', download=False)
    count = 0
    for i in range(0, len(dataset), len(dataset) // 50):
        molecule = read(dataset.smiles(i))
        if molecule is not None:
            assert_like_reference(molecule)
            count += 1
    assert count > 40


def test_stereo_without_a_code():
    from rdkit import Chem

    molecule = read('Cc1cccc(Br)c1-c1c(C)cccc1Br')
    for bond in molecule.GetBonds():
        bond.SetStereo(Chem.BondStereo.STEREOATROPCW)
    with pytest.raises(ValueError, match='got STEREOATROPCW'):
        codes(molecule)
