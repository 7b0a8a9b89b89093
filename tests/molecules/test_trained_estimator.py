"""What a trained estimator predicts."""

import numpy as np
import pytest

pytest.importorskip('rdkit')
pytest.importorskip('sklearn')

from sklearn.exceptions import NotFittedError

from gmoe.molecules.trained_model import TrainedModel
from tests.molecules.own import ALCOHOL, COUNTS, SMILES


def test_it_learns_values(regressor):
    assert regressor.score(SMILES, COUNTS) > 0.8
    value, std = regressor.predict(SMILES, return_std=True)
    assert value.shape == std.shape == COUNTS.shape
    assert (std > 0).all()
    bounds = regressor.predict_interval(SMILES, level=0.9)
    assert bounds.shape == (len(SMILES), 2)
    wide = (bounds[:, 1] - bounds[:, 0]) / 2
    assert (wide >= std - 1e-9).all()
    inside = (bounds[:, 0] <= COUNTS) & (bounds[:, 1] >= COUNTS)
    assert inside.mean() > 0.8


def test_it_learns_classes(classifier):
    assert classifier.classes_.tolist() == ['no', 'yes']
    found = classifier.predict(SMILES)
    assert (found == ALCOHOL).mean() == classifier.score(SMILES, ALCOHOL)
    assert classifier.score(SMILES, ALCOHOL) > 0.8
    probability = classifier.predict_proba(SMILES)
    assert probability.shape == (len(SMILES), 2)
    assert np.allclose(probability.sum(axis=1), 1)
    assert (classifier.classes_[probability.argmax(axis=1)] == found).all()


def test_an_ensemble_is_the_mean_of_its_members(regressor):
    single = [
        TrainedModel([member]).predict(SMILES).values[:, 0]
        for member in regressor.trained_._members
    ]
    assert not np.allclose(*single)
    mean = np.mean(single, axis=0)
    assert np.allclose(mean, regressor.predict(SMILES), atol=1e-6)


@pytest.mark.parametrize(
    'method', ['predict', 'predict_proba', 'predict_interval', 'save']
)
def test_what_is_not_trained_says_so(make, method):
    with pytest.raises(NotFittedError, match='not trained: call fit first'):
        getattr(make('classification'), method)(SMILES)
    with pytest.raises(NotFittedError):
        make().score(SMILES, COUNTS)
    assert not hasattr(make('classification'), 'classes_')


def test_refused_molecules_are_said(classifier, regressor):
    given = ['CCO', 'x', 'CC']
    with pytest.warns(
        UserWarning, match="1 SMILES string: 'x' at position"
    ) as said:
        value = regressor.predict(given)
    assert said[0].filename == __file__
    assert np.isnan(value).tolist() == [False, True, False]
    with pytest.warns(UserWarning, match='Refused and without a prediction'):
        assert classifier.predict(given)[1] is None
    with pytest.warns(UserWarning, match='Refused and without a prediction'):
        assert np.isnan(classifier.predict_proba(given)[1]).all()
    with pytest.warns(UserWarning, match='Refused and without a prediction'):
        assert np.isfinite(regressor.score(given, [2, 1, 2]))
    assert len(regressor.predict([])) == 0


def test_bad_molecules(classifier, regressor):
    with pytest.raises(TypeError, match='got a single one'):
        regressor.predict('CCO')
    with pytest.raises(ValueError, match="'return_std' must be False for"):
        classifier.predict(SMILES, return_std=True)
    with pytest.raises(ValueError, match="'task' must be 'regression' for"):
        classifier.predict_interval(SMILES)
    with pytest.raises(AttributeError, match="'predict_proba' needs a 'task'"):
        regressor.predict_proba(SMILES)
    with pytest.raises(ValueError, match="'y' must be of shape"):
        regressor.score(SMILES, COUNTS[:5])
    with pytest.raises(ValueError, match="'y' must be of shape"):
        regressor.score(SMILES, 3)
    with pytest.raises(ValueError, match="'sample_weight' must be"):
        regressor.score(SMILES, COUNTS, [1, 2])
    with pytest.raises(ValueError, match="'y' must have a value for"):
        regressor.score(['CCO'], [np.nan])
