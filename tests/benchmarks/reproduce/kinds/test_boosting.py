"""Trees on features of molecules: those that RDKit refuses are left out."""

import numpy as np
import pytest

from benchmarks.reproduce.job import Job
from benchmarks.reproduce.kinds import boosting, forest, tabular
from benchmarks.reproduce.run import Run
from benchmarks.reproduce.tables import load_table


def _job(row, data_root, tmp_path):
    cells = load_table('molecules').select([f'molfreesolv/{row}'], None)
    run = Run(cells[0], 0)
    run.folder(tmp_path).mkdir(parents=True)
    return Job(run, data_root / 'ogb', tmp_path, '')


@pytest.fixture
def few_features(monkeypatch):
    """Stands in for features that take seconds."""

    def make(molecules, kinds):
        assert kinds == ['descriptors', 'counts']
        out = np.array(
            [[len(s), s.count('O'), s.count('C')] for s in molecules.smiles],
            dtype=np.float32,
        )
        out[molecules.parts['test'][0]] = np.nan
        out[molecules.parts['train'][0]] = np.nan
        return out

    monkeypatch.setattr(tabular, 'molecule_features', make)


@pytest.mark.parametrize('row', ['boosting', 'forest-features'])
def test_refused_molecules(row, data_root, tmp_path, few_features):
    if row == 'boosting':
        pytest.importorskip('lightgbm')
    job = _job(row, data_root, tmp_path)
    kind = boosting if row == 'boosting' else forest
    result = kind.train(job)
    assert 1 < result['test'] < 6
    assert result['num_parameters'] > 100
    molecules = tabular.load(job)
    train = molecules.parts['train']
    with np.load(job.folder / 'predictions.npz') as arrays:
        prediction, target = arrays['prediction'], arrays['target']
    mean = molecules.target[train].mean()
    assert prediction[0, 0] == pytest.approx(mean, abs=1e-4)
    assert np.ptp(prediction[1:]) > 1
    rmse = np.sqrt(((prediction - target) ** 2).mean())
    assert result['test'] == pytest.approx(rmse, abs=1e-4)


def test_a_task_with_one_class(data_root, tmp_path, few_features):
    job = _job('forest-features', data_root, tmp_path)
    molecules = tabular.load(job)
    features = tabular.molecule_features(molecules, ['descriptors', 'counts'])
    molecules.target[:] = 1.0
    out, model = tabular._fit(features, molecules, 0, None)
    assert model is None
    assert (out == 1.0).all()
