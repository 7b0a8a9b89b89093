import random
from pathlib import Path

import pytest

from gmoe.datasets import OGBMolDataset
from gmoe.datasets.molecules import molecule as rules
from gmoe.datasets.molecules.codes import codes
from gmoe.datasets.molecules.molecule import (
    Molecule,
    Refused,
    prepare,
    prepare_molecule,
)

pytest.importorskip('rdkit')

THREONINE = 'C[C@@H](O)[C@H](N)C(=O)O'


@pytest.mark.parametrize(
    ('smiles', 'canonical', 'notes'),
    [
        ('OCC', 'CCO', ()),
        (' OCC ', 'CCO', ()),
        ('OCC ethanol, pure', 'CCO', (rules.NAME,)),
        ('OCC\tethanol', 'CCO', (rules.NAME,)),
        ('CC |$a;b$|', 'CC', (rules.EXTENSION,)),
        ('[CH3:1]O', 'CO', (rules.ATOM_MAP,)),
        ('[Na+].[Cl-]', '[Cl-].[Na+]', (rules.FRAGMENTS,)),
        ('C.C', 'C.C', (rules.FRAGMENTS,)),
        ('C[CH2]', '[CH2]C', (rules.RADICAL,)),
        ('[13CH3]O', '[13CH3]O', (rules.ISOTOPE,)),
        ('C*', '*C', (rules.DUMMY,)),
        ('C', 'C', (rules.SINGLE,)),
        ('[Na+]', '[Na+]', (rules.SINGLE,)),
        ('[K]', '[K]', (rules.RADICAL, rules.SINGLE)),
        ('N->[Pt]CC', None, ()),
        ('C' * 500, 'C' * 500, ()),
    ],
)
def test_kept(smiles: str, canonical: str | None, notes):
    found = prepare(smiles)
    assert isinstance(found, Molecule)
    assert canonical in (None, found.canonical)
    assert found.notes == notes
    assert prepare(found.canonical).canonical == found.canonical


@pytest.mark.parametrize(
    ('smiles', 'reason'),
    [
        ('', 'empty'),
        ('  ', 'empty'),
        ('C(', 'no SMILES string that RDKit can read'),
        ('ethanol', 'no SMILES string that RDKit can read'),
        ('CN(C)(C)C', 'RDKit refuses it: Explicit valence for atom # 1 N, 4'),
        ('c1cccc1', "RDKit refuses it: Can't kekulize"),
        ('CCO>>CC=O', 'a reaction'),
        ('CCO>[Na+]>CC=O', 'a reaction'),
        ('InChI=1S/CH4/h1H4', 'an InChI'),
        ('C' * 1001, 'must have 1 to 1000 atoms, has 1001'),
        ('C' * 10_001, 'must be of at most 10000 characters'),
        ('[C', 'no SMILES string that RDKit can read'),
        ('CC\0O', 'no SMILES string'),
        ('\N{SNOWMAN}', 'no SMILES string'),
        ('\udce9', 'no SMILES string'),
        ('nan', 'no SMILES string'),
    ],
)
def test_refused(smiles: str, reason: str, capfd):
    found = prepare(smiles)
    assert isinstance(found, Refused)
    assert found.reason.startswith(reason)
    assert '\n' not in found.reason
    assert len(found.reason) < 200
    assert capfd.readouterr() == ('', '')


def spellings(smiles: str, count: int, generator: random.Random) -> list[str]:
    from rdkit import Chem

    molecule = rules.read(smiles)
    size = molecule.GetNumAtoms()
    out = []
    for _ in range(count):
        order = generator.sample(range(size), size)
        other = Chem.RenumberAtoms(molecule, order)
        out.append(Chem.MolToSmiles(other, canonical=False))
    return out


def assert_one_graph(smiles: str, generator: random.Random) -> bool:
    """Whether all spellings of a molecule give the same bits."""
    expected, first = prepare_molecule(smiles)
    for text in spellings(smiles, 3, generator):
        found, other = prepare_molecule(text)
        if found.canonical != expected.canonical:
            return False
        for a, b in zip(codes(first), codes(other)):
            assert a.tobytes() == b.tobytes()
    return True


def test_spellings_of_one_molecule():
    generator = random.Random(0)
    assert len({*spellings(THREONINE, 8, generator)}) > 4
    assert assert_one_graph(THREONINE, generator)


@pytest.mark.parametrize(
    ('name', 'signs'),
    [
        ('ogbg-molbbbp', '@'),
        ('ogbg-moltox21', '/'),
        ('ogbg-molhiv', '+'),
        ('ogbg-molsider', '.'),
    ],
)
def test_spellings_of_real_molecules(data_root: Path, name: str, signs: str):
    """Those with stereo centres or bonds, charges, several fragments."""
    dataset = OGBMolDataset(name, data_root / 'ogb', download=False)
    generator = random.Random(0)
    found = [
        smiles
        for i in range(0, len(dataset), max(1, len(dataset) // 2000))
        if signs in (smiles := dataset.smiles(i))
        and isinstance(prepare(smiles), Molecule)
    ]
    found = generator.sample(found, 40)
    same = sum(assert_one_graph(smiles, generator) for smiles in found)
    assert same == len(found)


def test_a_canonical_form_that_is_not_stable(monkeypatch):
    from rdkit import Chem

    forms = {'OCC': 'C(C)O', 'C(C)O': 'C(O)C', 'C(O)C': 'C(C)O'}
    made = iter(['C(C)O', 'C(O)C', 'C(C)O'])
    monkeypatch.setattr(Chem, 'MolToSmiles', lambda molecule: next(made))
    assert forms
    found, molecule = prepare_molecule('OCC')
    assert found.canonical == 'C(C)O'
    assert [a.GetSymbol() for a in molecule.GetAtoms()] == ['C', 'C', 'O']
