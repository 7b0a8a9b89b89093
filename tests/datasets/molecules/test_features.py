"""Features of whole molecules."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gmoe.datasets.molecules import MoleculeFeatures
from gmoe.datasets.molecules import features as module

pytest.importorskip('rdkit')

SMILES = ['CCO', 'c1ccccc1C(=O)[O-].[Na+]', 'C[C@@H](O)[C@H](N)C(=O)O']


@pytest.fixture(scope='module')
def real(data_root: Path) -> list[str]:
    path = data_root / 'ogb/ogbg_molfreesolv/mapping/mol.csv.gz'
    return pd.read_csv(path)['smiles'].tolist()


def test_processes_change_nothing(real: list[str]):
    features = MoleculeFeatures(['counts', 'descriptors'])
    assert features.names[0] == 'morgan_0'
    smiles = real[:80]
    np.testing.assert_array_equal(
        features.compute(smiles, 2), features.compute(smiles, 0)
    )


def test_undefined_is_nan():
    features = MoleculeFeatures(['descriptors', 'counts'])
    unreadable, metal, large, good = features.compute(
        ['C1CC', 'C[Sn](C)(C)C', 'C' * 300, 'CCO'], 0
    )
    assert np.isnan(unreadable).all()
    named = dict(zip(features.names, metal))
    assert np.isnan(named['MaxPartialCharge'])
    assert named['MolWt'] == pytest.approx(178.85, abs=0.01)
    for name, value in zip(features.names, large):
        assert np.isfinite(value) != (name in ('Ipc', 'AvgIpc')), name
    assert np.isfinite(good).all()
    assert not np.isinf([metal, large]).any()
    assert features.compute([]).shape == (0, len(features.names))


def test_kept_by_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    features = MoleculeFeatures(['descriptors', 'counts'])
    first = features.compute([*SMILES, 'x'], 0, True, tmp_path)
    files = sorted(path.name for path in tmp_path.iterdir())
    assert [name.rpartition('-')[0] for name in files] == [
        'molecule-counts',
        'molecule-descriptors',
    ]
    with monkeypatch.context() as patch:
        patch.setattr(module, 'map_chunks', None)
        again = features.compute([*SMILES, 'x'], 0, True, tmp_path)
    np.testing.assert_array_equal(first, again)
    other = features.compute([*SMILES, 'CC'], 0, True, tmp_path)
    assert np.isfinite(other[-1]).all()


def test_settings_are_plain(monkeypatch: pytest.MonkeyPatch):
    features = MoleculeFeatures(['counts', 'descriptors'])
    d = json.loads(json.dumps(features.to_dict()))
    assert MoleculeFeatures.from_dict(d).names == features.names
    assert MoleculeFeatures.from_dict(d).to_dict() == d
    # The names of then count, not those of now.
    fewer = {**d, 'descriptors': ['MolWt', 'TPSA']}
    assert MoleculeFeatures.from_dict(fewer).compute(['C'], 0).shape[1] == 2050
    with pytest.warns(UserWarning, match="RDKit '2020.3.1', and this is"):
        MoleculeFeatures.from_dict({**d, 'rdkit': '2020.3.1'})


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'kinds': 'descriptors'}, "'features' must be a list"),
        ({'kinds': ['bits']}, "'features' must be a list"),
        ({'descriptors': ['Magic']}, "got 'Magic' of RDKit"),
        ({'descriptors': [3]}, 'got 3 of RDKit'),
        ({'descriptors': []}, "'descriptors' must be a list"),
        ({'descriptors': None}, "'descriptors' must be a list"),
        ({'path': '/etc/passwd'}, 'must be a dictionary of'),
    ],
)
def test_settings_are_distrusted(change: dict, message: str):
    d = MoleculeFeatures(['descriptors']).to_dict()
    with pytest.raises(ValueError, match=message):
        MoleculeFeatures.from_dict({**d, **change})


@pytest.mark.parametrize('kinds', ['counts', [], ['counts', 'counts'], [1]])
def test_kinds_are_checked(kinds: object):
    with pytest.raises(ValueError, match="'features' must be a list of some"):
        MoleculeFeatures(kinds)  # type: ignore[arg-type]
