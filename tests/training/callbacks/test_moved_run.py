"""Runs go on in a folder that was moved."""

import pytest

from gmoe.training.callbacks.moved_run import at_home
from tests.training.callbacks.test_best_checkpoint import fit_scripted


def fit(folder, scores):
    """Trains one epoch for each score, or goes on."""
    script = [(score, 0.0) for score in scores]
    return fit_scripted(folder, script, len(scores)).checkpoint_callback


@pytest.mark.filterwarnings('error:The dirpath has changed')
def test_the_best_epoch_stays_the_best(tmp_path):
    fit(tmp_path / 'run', [0.5])
    moved = (tmp_path / 'run').rename(tmp_path / 'moved')
    best = moved / 'best.ckpt'
    before = best.read_bytes()
    kept = fit(moved, [0.5, 0.3])
    assert best.read_bytes() == before
    assert kept.best_model_path == str(best)
    assert kept.best_model_score == pytest.approx(0.5)
    fit(moved, [0.5, 0.3, 0.6])
    assert best.read_bytes() != before


def test_paths(tmp_path):
    (tmp_path / 'best.ckpt').touch()
    state = {
        'dirpath': '/before',
        'best_model_path': '/before/best.ckpt',
        'kth_best_model_path': '',
        'best_k_models': {'/before/best.ckpt': 0.5},
        'other': 1,
    }
    best = str(tmp_path / 'best.ckpt')
    assert at_home(state, str(tmp_path)) == {
        'dirpath': str(tmp_path),
        'best_model_path': best,
        'kth_best_model_path': '',
        'last_model_path': '',
        'best_k_models': {best: 0.5},
        'other': 1,
    }
    # The run of the checkpoint is somewhere else, or nothing is known.
    for folder in (None, '/before', str(tmp_path / 'none')):
        assert at_home(state, folder) is state
    assert at_home({}, str(tmp_path)) == {}
