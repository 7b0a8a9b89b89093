"""Models of a training in memory as folders."""

import json

import pytest

pytest.importorskip('rdkit')

from gmoe.molecules.array_table import array_table
from gmoe.molecules.fit_settings import read_settings
from gmoe.molecules.fitted_model import (
    fitted_model,
    load_fitted,
    save_fitted,
)
from gmoe.molecules.fitting import fit_table
from tests.molecules.own import COUNTS, SMILES, write_config

KEPT = {'num_molecules': 96, 'split': 'random', 'more': [1, None]}


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp('config')
    fitted = fit_table(
        array_table(SMILES, COUNTS, 'regression').table,
        read_settings(write_config(folder)),
        0,
        num_members=2,
        accelerator='cpu',
        max_epochs=1,
    )
    return fitted_model(fitted)


def test_it_comes_back(model, tmp_path):
    save_fitted(tmp_path / 'out', model, KEPT)
    again, kept = load_fitted(tmp_path / 'out')
    assert kept == KEPT
    found, expected = (m.predict(SMILES) for m in (again, model))
    for name in ('values', 'spread', 'intervals', 'similarity'):
        value = getattr(found, name)
        assert (value == getattr(expected, name)).all(), name
    names = {p.name for p in (tmp_path / 'out').iterdir()}
    assert names == {'README.md', 'member_0', 'member_1'}
    card = (tmp_path / 'out' / 'README.md').read_text()
    assert '2 networks' in card


def test_one_member_is_the_folder_itself(model, tmp_path):
    for i in range(2):
        save_fitted(tmp_path / str(i), model, KEPT)
    one, _ = load_fitted(tmp_path / '0' / 'member_0')
    save_fitted(tmp_path / 'one', one, KEPT)
    names = {p.name for p in (tmp_path / 'one').iterdir()}
    assert names == {
        'README.md',
        'calibration.safetensors',
        'config.json',
        'model.safetensors',
    }


@pytest.mark.parametrize('odd', [None, 3, {'estimator': 3}, {}])
def test_what_an_estimator_has_not_kept(model, tmp_path, odd):
    save_fitted(tmp_path / 'out', model, KEPT)
    path = tmp_path / 'out' / 'member_0' / 'config.json'
    config = json.loads(path.read_text())
    config['training'] = odd
    path.write_text(json.dumps(config))
    if isinstance(odd, dict):
        assert load_fitted(tmp_path / 'out')[1] == {}
    else:
        with pytest.raises(ValueError, match='config.json must'):
            load_fitted(tmp_path / 'out')
