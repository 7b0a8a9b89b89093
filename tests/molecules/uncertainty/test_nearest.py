"""The similarity to the nearest molecule, against all pairs."""

import gzip

import numpy as np
import pandas as pd
import pytest

from gmoe.molecules.uncertainty import NearestMolecule
from gmoe.molecules.uncertainty.nearest import NUM_BYTES, fingerprints


@pytest.fixture(scope='module')
def smiles(data_root):
    path = data_root / 'ogb' / 'ogbg_molesol' / 'mapping' / 'mol.csv.gz'
    with gzip.open(path) as file:
        return pd.read_csv(file)['smiles'].tolist()[:300]


def test_against_all_pairs(smiles):
    known, new = smiles[:200], smiles[190:]
    packed = fingerprints(known)
    assert packed.shape == (200, NUM_BYTES)
    a = np.unpackbits(fingerprints(new), axis=1).astype(int)
    b = np.unpackbits(packed, axis=1).astype(int)
    both = a @ b.T
    union = a.sum(1)[:, None] + b.sum(1) - both
    slow = (both / union).max(axis=1)
    out = NearestMolecule(packed).similarity(new)
    assert out == pytest.approx(slow)
    assert (out[:10] == 1).all()
    assert out[10:].min() < 0.5


def test_none():
    nearest = NearestMolecule(fingerprints([]))
    assert np.isnan(nearest.similarity(['CCO'])).all()
    assert NearestMolecule(fingerprints(['CCO'])).similarity([]).shape == (0,)


def test_what_cannot_be_read():
    packed = fingerprints(['CCO', 'C1CC', 'CCN'])
    assert len(packed) == 2
    out = NearestMolecule(packed).similarity(['OCC', 'C1CC'])
    assert out[0] == 1
    assert np.isnan(out[1])


def test_what_is_refused():
    with pytest.raises(ValueError, match="'packed' must be bytes"):
        NearestMolecule(np.zeros((2, 2048)))
