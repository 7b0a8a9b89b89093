"""Forests on fingerprints, and the mean of their predictions."""

import numpy as np
import pytest

from benchmarks.reproduce.ensemble import ensemble
from benchmarks.reproduce.job import Job
from benchmarks.reproduce.kinds.forest import fingerprints, train
from benchmarks.reproduce.run import Run
from benchmarks.reproduce.tables import load_table


def test_fingerprints():
    pytest.importorskip('rdkit')
    # The last but one has a valence that rdkit refuses.
    bits = fingerprints(
        ['CCO', 'OCC', 'c1ccccc1', 'C[N](C)(C)(C)C', ''], 2, 64
    )
    assert bits.shape == (5, 64)
    assert (bits[0] == bits[1]).all()
    assert (bits[0] != bits[2]).any()
    assert bits[3].sum() > 0
    assert bits[4].sum() == 0


@pytest.fixture
def forests(data_root, tmp_path):
    pytest.importorskip('rdkit')
    (cell,) = load_table('table2').select(['molfreesolv/forest'], None)
    cell.settings['forest']['num_trees'] = 3
    runs = [Run(cell, seed) for seed in range(2)]
    results = []
    for run in runs:
        run.folder(tmp_path).mkdir(parents=True)
        results.append(train(Job(run, data_root / 'ogb', tmp_path, '')))
    return runs, results


def test_forest_and_mean_prediction(forests, tmp_path):
    runs, results = forests
    arrays = []
    for run, result in zip(runs, results):
        with np.load(run.folder(tmp_path) / 'predictions.npz') as file:
            arrays.append((file['prediction'], file['target']))
        prediction, target = arrays[-1]
        rmse = np.sqrt(((prediction - target) ** 2).mean())
        assert result['test'] == pytest.approx(rmse, abs=1e-5)
    assert results[0]['test'] != results[1]['test']
    mean = ensemble(runs, 'rmse', tmp_path)
    error = (arrays[0][0] + arrays[1][0]) / 2 - arrays[0][1]
    assert mean['test'] == pytest.approx(np.sqrt((error**2).mean()), abs=1e-5)
    assert mean['seeds'] == [0, 1]
