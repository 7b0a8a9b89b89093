"""The parts of an epoch, on a small dataset."""

import json

import pytest

from benchmarks.common import markdown
from benchmarks.common.record import ROOT, read_result
from benchmarks.speed import epoch_profile
from benchmarks.speed.epoch_profile import NAME, WAYS, main, parts_of, table


@pytest.mark.usefixtures('one_thread')
def test_main(data_root, tmp_path, monkeypatch):
    monkeypatch.setattr(epoch_profile, 'ROWS', ['tiny-gin'])
    page = tmp_path / 'performance.md'
    page.write_text('\n'.join(markdown.markers(NAME)))
    main(
        root=data_root / 'ogb',
        table_name='table2',
        dataset='molfreesolv',
        rounds=1,
        results=tmp_path,
        docs=tmp_path,
    )
    record = json.loads((tmp_path / 'epoch_profile.json').read_text())
    assert len(record['rows']) == len(WAYS)
    for row in record['rows']:
        epoch, *parts = row['parts'].values()
        assert min(parts) > 0
        # All are medians of one epoch.
        assert sum(parts) == pytest.approx(epoch)
    assert table(record) in page.read_text()


def test_parts():
    parts = parts_of(
        {
            'run_training_epoch': [10.0],
            '[_TrainingEpochLoop].train_dataloader_next': [0.5, 0.5],
            '[Strategy]SingleDeviceStrategy.batch_to_device': [0.5, 0.5],
            # Part of what is above.
            '[LightningModule]X.transfer_batch_to_device': [0.125] * 2,
            '[LightningDataModule]X.on_after_batch_transfer': [0.25] * 2,
            '[Strategy]SingleDeviceStrategy.training_step': [1.0, 1.0],
            '[Strategy]SingleDeviceStrategy.backward': [1.0, 2.0],
            '[LightningModule]GraphPredictor.optimizer_step': [2.5, 3.5],
            '[Strategy]SingleDeviceStrategy.validation_step': [0.5],
            'run_training_batch': [3.0, 4.0],
        }
    )
    assert parts == {
        'epoch': 10.5,
        'batches': 2.0,
        'forward': 2.0,
        'backward': 3.0,
        'optimizer': 1.0,
        'validation': 0.5,
        'rest': 2.0,
    }


@pytest.mark.parametrize('name', ['rounds', 'threads'])
def test_refused_arguments(tmp_path, name):
    with pytest.raises(SystemExit, match='at least 1'):
        main(root=tmp_path, results=tmp_path, **{name: 0})


def test_committed_table():
    record = read_result('epoch_profile')
    assert record is not None
    assert table(record) in (ROOT / 'docs' / 'performance.md').read_text()
