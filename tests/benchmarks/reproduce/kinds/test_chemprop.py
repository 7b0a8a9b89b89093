"""chemprop trains by its own command, on the rows that it is to train on."""

import csv
import json

import numpy as np
import pytest

from benchmarks.reproduce.job import Job
from benchmarks.reproduce.kinds import chemprop
from benchmarks.reproduce.kinds.molecules import load
from benchmarks.reproduce.run import Run
from benchmarks.reproduce.tables import load_table


@pytest.fixture
def job(data_root, tmp_path):
    pytest.importorskip('rdkit')
    cells = load_table('molecules').select(['chemprop-rdkit-2d'], None)
    (cell,) = (c for c in cells if c.dataset == 'molfreesolv')
    cell.settings['chemprop']['epochs'] = 3
    run = Run(cell, 3)
    run.folder(tmp_path).mkdir(parents=True)
    return Job(run, data_root / 'ogb', tmp_path, '', accelerator='cpu')


def _stand_in(shift, num_known=10**6):
    """Writes what the command would, the targets moved a little, and blanks
    behind those that are known."""

    def run(arguments):
        options = dict(zip(arguments[1::2], arguments[2::2]))
        with open(options['--data-path'], newline='') as file:
            header, *rows = csv.reader(file)
        with open(options['--splits-file']) as file:
            (parts,) = json.load(file)
        assert not set(parts['train']) & set(parts['test'])
        assert parts['test'][: len(parts['val'])] == parts['val']
        out = chemprop.Path(options['--output-dir']) / 'model_0'
        (out / 'checkpoints').mkdir(parents=True)
        (out / 'checkpoints' / 'best-epoch=7-val_loss=0.1.ckpt').touch()
        with (out / 'test_predictions.csv').open('w', newline='') as file:
            writer = csv.writer(file)
            writer.writerow(header)
            for place, row in enumerate(parts['test']):
                value = float(rows[row][1]) + shift
                known = place < num_known
                writer.writerow([rows[row][0], value if known else ''])

    return run


def test_predictions_belong_to_their_rows(job, monkeypatch):
    monkeypatch.setattr(chemprop, 'run_command', _stand_in(0.5))
    monkeypatch.setattr(chemprop, '_about', lambda out: {'best_epoch': 7})
    result = chemprop.train(job)
    assert result['valid'] == pytest.approx(0.5, abs=1e-5)
    assert result['test'] == pytest.approx(0.5, abs=1e-5)
    with np.load(job.folder / 'predictions.npz') as arrays:
        gap = arrays['prediction'] - arrays['target']
    assert gap == pytest.approx(0.5, abs=1e-5)


def test_blank_predictions(job, monkeypatch):
    """Of molecules whose descriptors are not finite."""
    monkeypatch.setattr(chemprop, '_about', lambda out: {'best_epoch': 7})
    known = len(load(job).parts['valid']) + 60
    monkeypatch.setattr(chemprop, 'run_command', _stand_in(0.0, known))
    result = chemprop.train(job)
    assert result['valid'] == pytest.approx(0.0, abs=1e-5)
    # The other five are predicted by the mean of the training labels.
    with np.load(job.folder / 'predictions.npz') as arrays:
        gap = arrays['prediction'] - arrays['target']
        assert len(np.unique(arrays['prediction'][60:])) == 1
    assert gap[:60] == pytest.approx(0.0, abs=1e-5)
    monkeypatch.setattr(chemprop, 'run_command', _stand_in(0.0, 0))
    with pytest.raises(ValueError, match='must have predictions, got none'):
        chemprop.train(job)


def test_only_what_is_said_differs_from_its_defaults(job, tmp_path):
    arguments = chemprop.command_line(job, True, tmp_path)
    names = {text for text in arguments if text.startswith('--')}
    assert names == {
        *('--data-path', '--splits-file', '--task-type', '--output-dir'),
        *('--pytorch-seed', '--data-seed', '--accelerator'),
        *('--epochs', '--molecule-featurizers'),
    }
    assert arguments[arguments.index('--pytorch-seed') + 1] == '3'


def test_chemprop_itself(job):
    pytest.importorskip('chemprop')
    result = chemprop.train(job)
    assert 0 < result['test'] < 10
    assert 0 < result['valid'] < 10
    assert result['best_epoch'] in range(3)
    assert result['num_parameters'] > 300_000
