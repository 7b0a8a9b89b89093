"""What is known of OGB's molecules before and after they are loaded."""

import pytest
import torch

from gmoe.datasets.molecules import MoleculeFeatures
from gmoe.training import OGBMolDataModule
from gmoe.training.kept_molecules import info_of


def test_unknown_dataset():
    with pytest.raises(ValueError, match="ogbg-molhiv.*got 'ogbg-molnope'"):
        OGBMolDataModule('ogbg-molnope')


def test_missing_dataset(tmp_path):
    data = OGBMolDataModule('ogbg-molhiv', tmp_path, download=False)
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        data.prepare_data()


def test_what_a_model_needs_to_know():
    data = OGBMolDataModule('ogbg-molfreesolv')
    assert data.task_type == 'regression'
    assert (data.monitor, data.monitor_mode) == ('val/rmse', 'min')
    data = OGBMolDataModule('ogbg-moltox21')
    assert (data.num_tasks, data.monitor_mode) == (12, 'max')
    assert (data.num_classes, data.num_outputs) == (2, 12)


def test_what_a_checkpoint_keeps():
    """The settings of features, where there are some."""
    assert OGBMolDataModule('ogbg-molfreesolv').molecules is None
    data = OGBMolDataModule('ogbg-molfreesolv', features=['counts'])
    assert data.molecules['is_ogb']
    info = info_of(data.molecules)
    assert info.targets == ('molfreesolv',)
    assert info.features == data.features.to_dict()


def test_molecules_of_the_official_split(data_root):
    data = OGBMolDataModule(
        'ogbg-molfreesolv', data_root / 'ogb', download=False
    )
    data.prepare_data()
    data.setup()
    loaders = [data.train_dataloader(), *data.val_dataloader()]
    loaders.append(data.test_dataloader())
    ids = [batch.graph_id for loader in loaders for batch in loader]
    order = torch.cat(ids).sort().values
    assert torch.equal(order, torch.arange(len(data.dataset)))


def test_features_of_molecules(data_root):
    root = data_root / 'ogb'
    data = OGBMolDataModule(
        'ogbg-molfreesolv', root, download=False, features=['counts']
    )
    assert data.graph_dims == 2048
    data.prepare_data()
    data.setup()
    smiles = [data.dataset.smiles(i) for i in range(len(data.dataset))]
    expected = torch.from_numpy(MoleculeFeatures(['counts']).compute(smiles))
    for loader in [data.train_dataloader(), *data.val_dataloader()]:
        batch = next(iter(loader))
        assert torch.equal(batch.graph_attr, expected[batch.graph_id])
    part = data.dataset[[5, 3]]
    assert torch.equal(part[0].graph_attr, expected[5:6])
    assert torch.equal(part.copy()[1].graph_attr, expected[3:4])
    assert OGBMolDataModule('ogbg-molfreesolv', root).features is None
    with pytest.raises(ValueError, match="'features' must be a list of"):
        OGBMolDataModule('ogbg-molfreesolv', root, features=['bits'])
    with pytest.raises(ValueError, match='each of the 642 graphs'):
        data.dataset.hold_graph_attr(torch.zeros(3, 2))
