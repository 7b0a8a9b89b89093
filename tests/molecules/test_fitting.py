"""Training on a table in memory."""

import numpy as np
import pytest
import torch

pytest.importorskip('rdkit')

from gmoe.molecules.array_table import array_table
from gmoe.molecules.fit_settings import FitSettings, read_settings
from gmoe.molecules.fitting import fit_table
from tests.molecules.own import ALCOHOL, COUNTS, SMILES, write_config


@pytest.fixture
def settings(tmp_path):
    return read_settings(write_config(tmp_path))


def fit(settings, smiles=SMILES, y=COUNTS, task='regression', **kwargs):
    table = array_table(smiles, y, task).table
    kwargs = {'accelerator': 'cpu', 'max_epochs': 1, **kwargs}
    return fit_table(table, settings, 0, **kwargs)


def parts(fitted):
    """The numbers of molecules that are trained on and validated on."""
    found = fitted.calibrations[0]
    return len(found.fingerprints), len(found.row)


def test_members_share_their_validation(settings):
    fitted = fit(settings, num_members=2, valid_share=0.25)
    assert parts(fitted) == (72, 24)
    first, second = fitted.calibrations
    assert np.array_equal(first.row, second.row)
    assert not np.allclose(first.prediction, second.prediction)
    y = COUNTS[first.row, None]
    assert np.allclose(first.target, y)
    states = [p.state_dict() for p in fitted.predictors]
    assert not torch.equal(*(s['gnn.head.weight'] for s in states))


def test_the_best_epoch_is_kept(settings):
    """Its predictions are those with the least error on validation."""
    errors = []
    for epochs in (1, 2, 3):
        found = fit(settings, max_epochs=epochs).calibrations[0]
        errors.append(np.square(found.prediction - found.target).mean())
    assert errors == sorted(errors, reverse=True)


def test_networks_hold_no_trainer(settings):
    predictor = fit(settings).predictors[0]
    assert predictor._trainer is None
    assert not predictor.training


def test_few_molecules_have_a_validation_too(settings):
    fitted = fit(settings, SMILES[:10], COUNTS[:10])
    assert parts(fitted) == (8, 2)


def test_classes_are_in_both_parts(settings):
    fitted = fit(settings, y=ALCOHOL, task='classification')
    assert set(fitted.calibrations[0].target[:, 0]) == {0, 1}


@pytest.mark.parametrize(
    ('y', 'task', 'metric'),
    [
        (COUNTS, 'regression', 'rmse'),
        (ALCOHOL, 'classification', 'rocauc'),
        ([*'abcd'] * 24, 'classification', 'accuracy'),
    ],
)
def test_the_score_that_selects_is_that_of_the_command(
    settings, y, task, metric
):
    (network,) = fit(settings, y=y, task=task).predictors
    assert network.metric == metric


def test_features_of_molecules(settings):
    data = {**settings.data, 'features': ['descriptors']}
    with_features = FitSettings(settings.model, data, settings.trainer)
    fitted = fit(with_features)
    assert fitted.dataset.info.features['kinds'] == ['descriptors']
    assert fitted.predictors[0].gnn.graph_dims > 200


def test_columns_of_a_file_are_refused(settings):
    data = {'feature_columns': ['T']}
    wrong = FitSettings(settings.model, data, settings.trainer)
    with pytest.raises(ValueError, match="'feature_columns' must be None"):
        fit(wrong)


def test_one_hop_alone(settings):
    model = {**settings.model, 'num_experts_1hop': 4}
    data = {**settings.data, 'two_hop': None}
    fitted = fit(FitSettings(model, data, settings.trainer))
    assert fitted.two_hop == 'exact'
    data['two_hop'] = 'released'
    fitted = fit(FitSettings(settings.model, data, settings.trainer))
    assert fitted.two_hop == 'released'


def test_other_molecules_of_the_same_seed_split_alike(settings):
    first, second = (fit(settings).calibrations[0].row for _ in range(2))
    assert np.array_equal(first, second)
    with pytest.raises(ValueError, match="'split' must be one of"):
        fit(settings, kind='none')
