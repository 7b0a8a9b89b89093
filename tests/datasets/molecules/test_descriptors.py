"""Numbers of whole molecules are those of RDKit."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytest.importorskip('rdkit')
from rdkit import Chem
from rdkit.Chem import Descriptors, rdFingerprintGenerator

from gmoe.datasets.molecules.descriptors import (
    counts,
    descriptor_functions,
    descriptors,
)

SMILES = ['CCO', 'c1ccccc1C(=O)[O-].[Na+]', 'C[C@@H](O)[C@H](N)C(=O)O']


@pytest.fixture(scope='module')
def real(data_root: Path) -> list[str]:
    path = data_root / 'ogb/ogbg_molfreesolv/mapping/mol.csv.gz'
    return pd.read_csv(path)['smiles'].tolist()[:40]


def test_descriptors_are_those_of_rdkit(real: list[str]):
    names = tuple(descriptor_functions())
    assert len(names) == len(Descriptors.descList) > 200
    smiles = real + SMILES
    out, is_read = descriptors(names, smiles)
    assert out.dtype == np.float32
    assert out.shape == (len(smiles), len(names))
    assert is_read.all()
    for text, row in zip(smiles, out):
        molecule = Chem.MolFromSmiles(text)
        expected = Descriptors.CalcMolDescriptors(molecule, np.nan, True)
        expected['Ipc'] = np.log1p(expected['Ipc'])
        values = np.array([expected[name] for name in names])
        values[np.isinf(values)] = np.nan
        np.testing.assert_allclose(row, values, rtol=1e-5)


def test_counts_are_those_of_rdkit(real: list[str]):
    out, _ = counts(real)
    generator = rdFingerprintGenerator.GetMorganGenerator(2, fpSize=2048)
    for text, row in zip(real, out):
        found = generator.GetCountFingerprint(Chem.MolFromSmiles(text))
        assert {i: n for i, n in enumerate(row) if n} == (
            found.GetNonzeroElements()
        )
    assert counts(['C' * 400])[0].max() == 255


def test_what_cannot_be_read(capfd):
    for values, is_read in (
        counts(['C1CC', 'C', '']),
        descriptors(('MolWt', 'TPSA'), ['C1CC', 'C', '']),
    ):
        assert is_read.tolist() == [False, True, False]
        assert len(values) == 3
    assert capfd.readouterr() == ('', '')
