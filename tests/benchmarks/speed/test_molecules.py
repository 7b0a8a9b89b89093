"""Epochs of networks beside chemprop's, on a small dataset."""

import pytest

from benchmarks.reproduce.job import Job
from benchmarks.reproduce.run import Run
from benchmarks.reproduce.tables import load_table
from benchmarks.speed import molecules


def turn(row, data_root, folder):
    cells = load_table('molecules').select([f'molfreesolv/{row}'], None)
    run = Run(molecules._short(cells[0]), 0)
    job = Job(run, data_root / 'ogb', folder, '', accelerator='cpu')
    job.folder.mkdir(parents=True)
    return molecules.turn(job)


@pytest.mark.parametrize('row', ['tiny-gin', 'chemprop'])
def test_turn(row, data_root, tmp_path):
    if row == 'chemprop':
        pytest.importorskip('chemprop')
    epochs = turn(row, data_root, tmp_path)
    assert len(epochs) == molecules.EPOCHS - 1
    assert all(0 < seconds < 60 for epoch in epochs for seconds in epoch)


def test_summary():
    measured = {'chemprop': [(3.0, 2.0)] * 3, 'single': [(1.0, 1.0)] * 3}
    rows = molecules.summarise('molesol', 100, measured)
    assert [row['ms'] for row in rows] == [30.0, 10.0]
    assert [row['speed'] for row in rows] == [1.0, 2.0]
    record = {
        'rows': [{**row, 'row': 'chemprop'} for row in rows],
        'threads': 1,
        'rounds': 3,
        'processor': 'one',
        'environment': {'torch': '2'},
    }
    assert '2.00 (2.00 to 2.00)' in molecules.table(record)
