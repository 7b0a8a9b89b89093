import numpy as np
import pytest

from gmoe.datasets.molecules import Refused

chem = pytest.importorskip('rdkit.Chem')

from gmoe.datasets.molecules import MoleculeFeatures, MoleculeInfo  # noqa: E402
from gmoe.molecules.explanation import read_molecule  # noqa: E402
from gmoe.molecules.explanation.molecule import atom_order  # noqa: E402
from tests.molecules.explanation.networks import molecule  # noqa: E402

SMILES = [
    'OC(=O)c1ccccc1OC(C)=O',
    'C[C@@H](O)[C@H](N)C(=O)O',
    '[Na+].[O-]C(=O)C(F)Cl',
    'F/C=C/Br',
    '[K]',
    'CC(C)(C)c1ccc2[nH]c(N)nc2c1',
]


@pytest.mark.parametrize('smiles', SMILES)
def test_atoms_are_those_of_the_written_string(smiles: str):
    found = molecule(smiles)
    numbers = [a.GetAtomicNum() for a in found.molecule.GetAtoms()]
    degrees = [a.GetTotalDegree() for a in found.molecule.GetAtoms()]
    x = found.data.x[found.order]
    assert sorted(found.order) == list(range(found.num_atoms))
    assert (x[:, 0] + 1).tolist() == numbers
    assert x[:, 2].tolist() == degrees
    # Each bond is one.
    bonds = {(int(a), int(b)) for a, b in found.data.edge_index.t().tolist()}
    for bond in found.molecule.GetBonds():
        ends = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        assert tuple(found.order[list(ends)]) in bonds


def test_random_spellings():
    plain = chem.MolFromSmiles(SMILES[1])
    for seed in range(8):
        text = chem.MolToRandomSmilesVect(plain, 1, seed)[0]
        found = molecule(text)
        assert found.smiles == text
        tags = [str(a.GetAtomicNum()) for a in found.molecule.GetAtoms()]
        assert tags == [str(int(c) + 1) for c in found.data.x[found.order, 0]]


def test_refused():
    found = read_molecule('c1ccccc')
    assert isinstance(found, Refused)
    assert found.reason


def test_features_of_the_training():
    features = MoleculeFeatures(['counts']).to_dict()
    info = MoleculeInfo(('y',), 'regression', None, features=features)
    found = read_molecule('CCO', info)
    assert found.data.graph_attr.shape == (1, 2048)


def test_another_molecule():
    a, b = (chem.MolFromSmiles(text) for text in ('CCO', 'CCN'))
    with pytest.raises(ValueError, match="'canonical' must be the molecule"):
        atom_order(a, b)
    assert np.array_equal(atom_order(a, a), [0, 1, 2])
