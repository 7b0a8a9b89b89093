"""One kind of fingerprint, whatever molecules are compared for."""

import numpy as np
import pytest

pytest.importorskip('rdkit')
from rdkit import Chem
from rdkit.Chem.AllChem import GetHashedMorganFingerprint

from gmoe.datasets.molecules.descriptors import counts
from gmoe.datasets.molecules.morgan import NUM_BITS, morgan_generator
from gmoe.molecules.uncertainty.nearest import fingerprints

SMILES = ['CC(=O)Nc1ccc(O)cc1', 'CCN(CC)CC', 'C[C@H](N)O']


def test_it_is_that_of_rdkit():
    generator = morgan_generator()
    for text in SMILES:
        molecule = Chem.MolFromSmiles(text)
        found = generator.GetCountFingerprint(molecule).GetNonzeroElements()
        old = GetHashedMorganFingerprint(molecule, 2, NUM_BITS)
        assert found == old.GetNonzeroElements()


def test_what_is_counted_is_what_is_compared():
    bits = np.unpackbits(fingerprints(SMILES), axis=1, bitorder='little')
    assert np.array_equal(bits, counts(SMILES)[0] > 0)
