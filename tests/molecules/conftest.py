"""Estimators that are trained once for all tests."""

import pytest

from tests.molecules.own import ALCOHOL, COUNTS, SMILES, write_config


@pytest.fixture(scope='session')
def config(tmp_path_factory):
    return write_config(tmp_path_factory.mktemp('config'))


@pytest.fixture(scope='session')
def make(config):
    model = pytest.importorskip('gmoe.molecules.molecule_model')

    def made(task='regression', **kwargs):
        return model.MoleculeModel(
            task,
            **{
                'config': config,
                'random_state': 0,
                'accelerator': 'cpu',
                **kwargs,
            },
        )

    return made


@pytest.fixture(scope='session')
def regressor(make):
    return make(ensemble=2).fit(SMILES, COUNTS)


@pytest.fixture(scope='session')
def classifier(make):
    return make('classification').fit(SMILES, ALCOHOL)
