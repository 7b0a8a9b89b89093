"""What a training on molecules leaves for uncertainty."""

import numpy as np
import pytest
import torch

from gmoe.molecules.calibration_data import CalibrationData
from gmoe.molecules.calibration_writer import CalibrationWriter
from gmoe.molecules.exported import CALIBRATION
from gmoe.molecules.uncertainty import NearestMolecule
from gmoe.training import BestCheckpoint, GraphPredictor, OGBMolDataModule
from tests.molecules import tiny
from tests.training import tiny as graphs


@pytest.fixture(scope='module')
def run(data_root, tmp_path_factory):
    """The folder, the data and the network of a short training."""
    folder = tmp_path_factory.mktemp('run')
    data = OGBMolDataModule(
        'ogbg-molfreesolv', data_root / 'ogb', batch_size=64, drop_nodes=0.2
    )
    model = tiny.make_predictor(dataset='ogbg-molfreesolv')
    best = BestCheckpoint(
        folder / 'checkpoints',
        filename='best',
        monitor=data.monitor,
        mode=data.monitor_mode,
        save_on_train_epoch_end=True,
    )
    trainer = graphs.make_trainer(
        callbacks=[best, CalibrationWriter(folder)], enable_checkpointing=True
    )
    trainer.fit(model, datamodule=data)
    return folder, data


def test_predictions_are_those_of_the_best_epoch(run):
    folder, data = run
    made = CalibrationData.load(folder / CALIBRATION)
    network = GraphPredictor.load_from_checkpoint(
        folder / 'checkpoints' / 'best.ckpt'
    )
    data.predict_split = 'valid'
    trainer = graphs.make_trainer()
    out = trainer.predict(network, datamodule=data)
    for name, key in (
        ('prediction', 'prediction'),
        ('target', 'target'),
        ('row', 'graph_id'),
    ):
        expected = torch.cat([batch[key] for batch in out]).numpy()
        found = getattr(made, name)
        assert np.allclose(found, expected.reshape(found.shape), rtol=1e-4)
    assert made.row.tolist() == data.splits['valid'].tolist()


def test_training_molecules_are_known(run):
    folder, data = run
    made = CalibrationData.load(folder / CALIBRATION)
    assert len(made.fingerprints) == len(data.splits['train'])
    nearest = NearestMolecule(made.fingerprints)
    for part, low, high in (('train', 1, 1), ('test', 0, 0.99)):
        smiles = [data.dataset.smiles(int(i)) for i in data.splits[part]]
        similarity = nearest.similarity(smiles)
        assert low <= similarity.mean() <= high


def test_other_graphs_leave_nothing(tmp_path):
    best = BestCheckpoint(tmp_path, monitor='val/acc', mode='max')
    trainer = graphs.make_trainer(
        callbacks=[best, CalibrationWriter(tmp_path)],
        max_epochs=1,
        enable_checkpointing=True,
    )
    trainer.fit(graphs.make_model(), datamodule=graphs.make_data())
    assert not (tmp_path / CALIBRATION).exists()
