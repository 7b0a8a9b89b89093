"""What model cards say of a run."""

import numpy as np
import pytest

from gmoe.datasets.molecules.info import MoleculeInfo
from gmoe.molecules.calibration_data import CalibrationData
from gmoe.molecules.cards import (
    joint_facts,
    molecule_card,
    run_facts,
    validation_scores,
)
from gmoe.molecules.cards import (
    test_scores as scores_of_test,
)

VALUES = MoleculeInfo(('logS', 'logP'), 'regression', None)
CLASSES = MoleculeInfo(('is_toxic',), 'binary classification', ('no', 'yes'))


def left(prediction, target):
    prediction = np.array(prediction, dtype=np.float32)
    target = np.array(target, dtype=np.float64)
    row = np.arange(len(target))
    return CalibrationData(
        prediction, target, row, np.zeros((1, 256), np.uint8)
    )


def test_the_card():
    text = str(
        molecule_card(
            VALUES,
            {'conv': 'gin', '_class_path': 'x'},
            3,
            data='delaney.csv',
            license='mit',
        )
    )
    assert '# logS, logP\n' in text
    assert '3 networks of gmoe' in text
    assert 'the regression of logS, logP, from SMILES strings' in text
    assert '| graphs of molecules | ogb-canonical-1 |' in text
    assert '| conv | gin |' in text
    assert '_class_path' not in text
    assert '**Licence**: mit' in text


def test_a_card_of_many_targets_is_short():
    names = tuple(f'assay_{i}' for i in range(617))
    info = MoleculeInfo(names, 'binary classification', ('0', '1'))
    text = str(molecule_card(info, {}, 1, title='toxcast'))
    assert '# toxcast\n' in text
    assert 'and 597 more' in text
    assert len(text) < 3000


def checkpoint(**data):
    settings = {'data': {'class_path': 'x', 'init_args': data}}
    return {'callbacks': {'RunSettings': settings}}


def test_facts_of_a_run(tmp_path):
    facts = run_facts(
        checkpoint(
            path='/home/me/secret/my.csv', split='random', split_seed=3
        ),
        None,
    )
    assert facts['data'] == 'my.csv'
    assert facts['split'] == 'random, seed 3'
    facts = run_facts(checkpoint(path='a.csv', folds=5, fold=2), None)
    assert facts['split'].endswith('seed 0, fold 2 of 5')
    facts = run_facts(checkpoint(path='a.csv', folds=5), None)
    assert facts['split'].endswith('seed 0, fold 0 of 5')
    facts = run_facts(checkpoint(name='ogbg-molesol', root='/data'), None)
    assert facts['data'] == 'ogbg-molesol'
    assert facts['split'] == "the dataset's own"
    for odd in ({}, {'callbacks': None}):
        assert run_facts(odd, tmp_path) == {'scores': {}}


def test_facts_of_an_ensemble():
    runs = [
        {
            **run_facts(checkpoint(path='a.csv', folds=3, fold=i), None),
            'scores': {'mae (test)': float(i)},
        }
        for i in range(3)
    ]
    facts = joint_facts(runs)
    assert facts['split'].endswith('seed 0, another of 3 folds each')
    assert facts['scores'] == {'mae (test, mean of single networks)': 1.0}
    assert facts['data'] == 'a.csv'
    assert joint_facts(runs[:1]) == runs[0]
    assert joint_facts([{'scores': {}}] * 2) == {'scores': {}}


def test_scores_of_a_test(tmp_path):
    folder = tmp_path / 'csv' / 'version_0'
    folder.mkdir(parents=True)
    (folder / 'metrics.csv').write_text(
        'epoch,val/rmse,test/rmse,test/loss\n0,3,,\n1,2,,\n1,,0.75,1.5\n1,,cut,\n'
    )
    found = scores_of_test(tmp_path)
    assert found == {'rmse (test)': 0.75, 'loss (test)': 1.5}
    # Later tests count, by the numbers of their logs.
    for number in (2, 10):
        later = tmp_path / 'csv' / f'version_{number}'
        later.mkdir()
        (later / 'metrics.csv').write_text(f'test/rmse\n{number}\n')
    (tmp_path / 'csv' / 'version_11').mkdir()
    assert scores_of_test(tmp_path)['rmse (test)'] == 10


def test_scores_of_values():
    nan = np.nan
    found = validation_scores(
        VALUES, [left([[1, 5], [2, 5], [3, 9]], [[1, nan], [2, 5], [5, 8]])]
    )
    assert found['RMSE (validation)'] == pytest.approx(
        (np.sqrt(4 / 3) + np.sqrt(1 / 2)) / 2
    )
    assert set(found) == {'RMSE (validation)', 'R2 (validation)'}
    assert validation_scores(VALUES, []) == {}


def test_scores_of_classes():
    prediction = [[0.1], [0.4], [0.6], [0.3]]
    found = validation_scores(
        CLASSES, [left(prediction, [[0], [0], [1], [1]])]
    )
    assert found == {
        'ROC-AUC (validation)': 0.75,
        'accuracy (validation)': 0.75,
    }
    found = validation_scores(CLASSES, [left(prediction, [[0]] * 4)])
    assert found == {'accuracy (validation)': 0.75}
