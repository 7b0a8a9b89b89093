import pytest

chem = pytest.importorskip('rdkit.Chem')

from gmoe.molecules.explanation.atom_properties import (  # noqa: E402
    atom_properties,
    functional_groups,
)


def having(smiles: str, kind: str, name: str) -> list[int]:
    found = atom_properties(chem.MolFromSmiles(smiles))
    return found[kind, name].nonzero()[0].tolist()


def test_properties_of_a_phenol():
    smiles = 'Oc1ccccc1'
    assert having(smiles, 'atom type', 'O') == [0]
    assert having(smiles, 'ring size', 'ring of 6') == [1, 2, 3, 4, 5, 6]
    assert having(smiles, 'ring size', 'no ring') == [0]
    assert having(smiles, 'degree', 'degree 3') == [1]
    assert having(smiles, 'aromaticity', 'not aromatic') == [0]
    assert having(smiles, 'functional group', 'phenols')[:2] == [0, 1]


def test_large_rings_and_single_atoms():
    name = 'ring of 8 or more'
    assert having('C1CCCCCCCCC1', 'ring size', name) == list(range(10))
    assert having('[Na+]', 'degree', 'degree 0') == [0]
    assert having('S(F)(F)(F)(F)(F)F', 'degree', 'degree 4 or more') == [0]


def test_groups_are_those_that_rdkit_counts():
    fragments = pytest.importorskip('rdkit.Chem.Fragments')
    assert len(functional_groups()) == len(fragments.fns) == 85
    molecule = chem.MolFromSmiles('CC(=O)Oc1ccccc1C(=O)O')
    expected = {
        ('functional group', name)
        for (name, _), (_, count) in zip(functional_groups(), fragments.fns)
        if count(molecule) > 0
    }
    found = {key for key in atom_properties(molecule) if 'group' in key[0]}
    assert found == expected
