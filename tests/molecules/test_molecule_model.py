"""The estimator, and the conventions of scikit-learn."""

import json
import logging
import os
import pickle
import random
import warnings

import numpy as np
import pytest
import torch

pytest.importorskip('rdkit')
pytest.importorskip('sklearn')

import joblib
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from gmoe.molecules.molecule_model import MoleculeModel
from tests.molecules.own import ALCOHOL, COUNTS, SMILES


def test_the_same_seed_gives_the_same(make):
    found = [
        make(random_state=seed, max_epochs=2).fit(SMILES, COUNTS)
        for seed in (0, 0, 1)
    ]
    first, again, other = (model.predict(SMILES) for model in found)
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)


def test_the_surroundings_stay_as_they_are(make, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('GMOE_CACHE_DIR', str(tmp_path / 'cache'))
    monkeypatch.setenv('TMPDIR', str(tmp_path / 'tmp'))
    monkeypatch.setenv('PL_GLOBAL_SEED', '17')
    (tmp_path / 'tmp').mkdir()
    monkeypatch.setattr('tempfile.tempdir', None)
    states = [
        torch.get_rng_state(),
        np.random.get_state()[1].tolist(),
        random.getstate(),
        logging.getLogger('lightning.pytorch').level,
    ]
    with warnings.catch_warnings():
        warnings.simplefilter('error', UserWarning)
        make(max_epochs=1).fit(SMILES, COUNTS).predict(SMILES)
    assert torch.equal(states[0], torch.get_rng_state())
    assert states[1:] == [
        np.random.get_state()[1].tolist(),
        random.getstate(),
        logging.getLogger('lightning.pytorch').level,
    ]
    assert os.environ['PL_GLOBAL_SEED'] == '17'
    # PyG writes code of its own once.
    left = {p.name for p in tmp_path.rglob('*') if p.suffix != '.py'}
    assert left == {'tmp'}
    assert capfd.readouterr() == ('', '')


def test_verbose_says_what_it_does(make, capfd):
    make(max_epochs=1, verbose=True).fit(SMILES, COUNTS)
    found = capfd.readouterr()
    assert '96 of 96 molecules are kept' in found.out + found.err


def test_conventions(make, regressor):
    model = make(config='single', max_epochs=3)
    assert model.get_params()['config'] == 'single'
    twin = clone(model.set_params(ensemble=4))
    assert twin is not model
    assert twin.get_params() == model.get_params()
    assert not hasattr(clone(regressor), 'trained_')
    assert is_regressor(model)
    assert is_classifier(make('multiclass'))
    assert not is_classifier(model)
    assert 'smiles' not in str(model.get_metadata_routing().fit.requests)
    assert 'max_epochs=3' in repr(model)


def test_cross_validation(make):
    scores = cross_val_score(
        make(max_epochs=4), SMILES, COUNTS, cv=KFold(2, shuffle=True)
    )
    assert scores.shape == (2,)
    assert np.isfinite(scores).all()
    areas = cross_val_score(
        make('classification', max_epochs=4),
        np.array(SMILES),
        ALCOHOL == 'yes',
        cv=2,
        scoring='roc_auc',
    )
    assert (areas > 0.5).all()


def test_grid_search_and_pipeline_in_processes(make):
    pipeline = Pipeline(
        [
            ('strip', FunctionTransformer(str_strip)),
            ('model', make(max_epochs=1)),
        ]
    )
    search = GridSearchCV(pipeline, {'model__max_epochs': [1, 3]}, cv=2)
    # Copies of this process, which need not import all anew.
    with joblib.parallel_backend('multiprocessing', n_jobs=2):
        search.fit([f' {text} ' for text in SMILES], COUNTS)
    assert search.best_params_['model__max_epochs'] in (1, 3)
    assert np.isfinite(search.predict(SMILES[:2])).all()


def str_strip(smiles):
    return [text.strip() for text in smiles]


def test_it_is_pickled(regressor, classifier):
    for model in (regressor, classifier):
        again = pickle.loads(pickle.dumps(model))
        assert np.array_equal(again.predict(SMILES), model.predict(SMILES))


def test_it_is_saved_and_loaded(regressor, classifier, tmp_path):
    for i, model in enumerate((regressor, classifier)):
        folder = tmp_path / str(i)
        model.save(folder)
        again = MoleculeModel.load(folder)
        assert np.array_equal(again.predict(SMILES), model.predict(SMILES))
        assert again.get_params() == model.get_params()
        with pytest.raises(ValueError, match='which is not overwritten'):
            model.save(folder)
    assert np.array_equal(
        MoleculeModel.load(tmp_path / '0').predict_interval(SMILES),
        regressor.predict_interval(SMILES),
    )
    assert (again.classes_ == classifier.classes_).all()
    again.save(tmp_path / 'again')
    assert (tmp_path / '0' / 'member_1' / 'model.safetensors').is_file()
    kinds = {p.suffix for p in tmp_path.rglob('*') if p.is_file()}
    assert kinds == {'.json', '.md', '.safetensors'}
    card = (tmp_path / '0' / 'README.md').read_text()
    assert '96 molecules' in card
    assert '| RMSE (validation) |' in card


def test_labels_keep_their_type(make, tmp_path):
    y = np.where(ALCOHOL == 'yes', 7, 3)
    model = make('binary', max_epochs=1).fit(SMILES, y)
    assert model.predict(SMILES).dtype == y.dtype
    model.save(tmp_path / 'model')
    again = MoleculeModel.load(tmp_path / 'model')
    assert again.classes_.tolist() == [3, 7]
    assert again.predict(SMILES).dtype == y.dtype


def test_labels_that_others_wrote_are_looked_at(classifier, tmp_path):
    classifier.save(tmp_path / 'model')
    path = tmp_path / 'model' / 'config.json'
    config = json.loads(path.read_text())
    config['training']['estimator']['labels'] = [1, 2, 3]
    path.write_text(json.dumps(config))
    with pytest.raises(ValueError, match='must have 2 labels for its classes'):
        MoleculeModel.load(tmp_path / 'model')


def test_several_targets_with_missing_ones(make):
    y = np.stack([COUNTS, -COUNTS], axis=1)
    y[::3, 0] = np.nan
    model = make(max_epochs=2).fit(SMILES, y)
    value, std = model.predict(SMILES, return_std=True)
    assert value.shape == std.shape == y.shape
    assert model.predict_interval(SMILES[:3]).shape == (3, 2, 2)
    assert np.isfinite(model.score(SMILES, y))
    both = np.stack([ALCOHOL, ALCOHOL[::-1]], axis=1).astype(object)
    both[0, 0] = None
    model = make('classification', max_epochs=1).fit(SMILES, both)
    assert model.predict(SMILES).shape == both.shape
    assert [p.shape for p in model.predict_proba(SMILES[:4])] == [(4, 2)] * 2
    assert len(model.classes_) == 2


def test_many_classes(make):
    y = np.array(['abc'[i % 3] for i in range(len(SMILES))])
    model = make('classification', max_epochs=1).fit(SMILES, y)
    assert model.predict_proba(SMILES).shape == (len(SMILES), 3)
    assert set(model.predict(SMILES)) <= set('abc')


def test_refused_molecules_are_said(make):
    smiles = [*SMILES, 'no molecule', '']
    with pytest.warns(
        UserWarning, match="2 SMILES .* 'no molecule' at posi"
    ) as said:
        model = make(max_epochs=1).fit(smiles, [*COUNTS, 1, 2])
    assert [row[:2] for row in model.skipped_] == [
        (96, 'no molecule'),
        (97, ''),
    ]
    assert said[0].filename == __file__


def test_weights_count(make):
    weight = np.where(COUNTS > 8, 1.0, 0.0)
    with_weight = make(max_epochs=3).fit(SMILES, COUNTS, weight)
    without = make(max_epochs=3).fit(SMILES, COUNTS)
    found = with_weight.predict(SMILES), without.predict(SMILES)
    assert not np.allclose(*found)


@pytest.mark.parametrize(
    ('params', 'message'),
    [
        ({'task': 'ranking'}, "'task' must be one of"),
        ({'ensemble': 0}, "'ensemble' must be an integer >= 1"),
        ({'max_epochs': 0}, "'max_epochs' must be an integer >= 1"),
        ({'validation_fraction': 1.5}, "'validation_fraction' must be in"),
        ({'split': 'none'}, "'split' must be one of"),
        ({'num_workers': -1}, "'num_workers' must be an integer >= 0"),
        ({'config': None}, "'config' must be one of .* got 'None'"),
        ({'config': 'quickest'}, "'config' must be one of"),
    ],
)
def test_bad_parameters(make, params, message):
    with pytest.raises(ValueError, match=message):
        make(**params).fit(SMILES, COUNTS)


def test_too_few_molecules(make):
    with pytest.raises(ValueError, match='at least 10 molecules .* got 5'):
        make().fit(SMILES[:5], COUNTS[:5])
