import pytest
import torch
from lightning.pytorch import Callback
from torch_geometric.data import Batch
from torch_geometric.transforms import Constant

from gmoe.ops import two_hop_edges
from gmoe.training import (
    HopMixtureDataModule,
    OGBMolDataModule,
    WebNLGDataModule,
)
from tests.conftest import contents
from tests.datasets.conftest import TABLES, write_tables
from tests.datasets.webnlg_files import write_release
from tests.training import tiny


def graph_ids(loader):
    return torch.cat([batch.graph_id for batch in loader]).tolist()


def set_up(**kwargs):
    data = tiny.make_data(**kwargs)
    data.setup()
    return data


@pytest.mark.parametrize(
    ('argument', 'value'),
    [
        ('batch_size', 0),
        ('eval_batch_size', -1),
        ('eval_batch_size', 0),
        ('num_workers', -1),
        ('drop_nodes', 1.0),
        ('drop_nodes', -0.1),
        ('two_hop', 'sometimes'),
        ('predict_split', 'dev'),
    ],
)
@pytest.mark.parametrize(
    ('module', 'arguments'),
    [
        (HopMixtureDataModule, {}),
        (OGBMolDataModule, {'name': 'ogbg-molhiv'}),
    ],
)
def test_refused_arguments(module, arguments, argument, value):
    message = f"'{argument}' must .*, got {value!r}"
    with pytest.raises(ValueError, match=message):
        module(**arguments, **{argument: value})


def test_loaders_give_the_splits():
    data = set_up(test_curve=True, eval_batch_size=4)
    splits = {name: index.tolist() for name, index in data.splits.items()}
    valid, test = data.val_dataloader()
    assert graph_ids(valid) == splits['valid']
    assert graph_ids(test) == splits['test']
    assert graph_ids(data.test_dataloader()) == splits['test']
    train = graph_ids(data.train_dataloader())
    assert train != splits['train']
    assert sorted(train) == splits['train']
    assert [b.num_graphs for b in data.train_dataloader()] == [8] * 6
    assert [b.num_graphs for b in valid] == [4, 2]
    assert len(set_up().val_dataloader()) == 1


@pytest.mark.parametrize('split', ['train', 'valid', 'test', 'all'])
def test_predicted_split(split):
    data = set_up(predict_split=split)
    expected = (
        list(range(60)) if split == 'all' else data.splits[split].tolist()
    )
    assert graph_ids(data.predict_dataloader()) == expected


def test_order_depends_on_seed_and_epoch(monkeypatch):
    orders = []
    for seed, epoch in ((0, 0), (0, 0), (0, 1), (1, 0)):
        monkeypatch.setenv('PL_GLOBAL_SEED', str(seed))
        loader = set_up().train_dataloader()
        loader.sampler.set_epoch(epoch)
        orders.append(graph_ids(loader))
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]
    assert orders[0] != orders[3]
    assert orders[2] != orders[3]


def test_loaders_leave_the_random_numbers_alone():
    data = set_up()
    state = torch.get_rng_state()
    for loader in (data.train_dataloader(), *data.val_dataloader()):
        next(iter(loader))
    assert torch.equal(torch.get_rng_state(), state)


class Batches(Callback):
    """Keeps what the model sees."""

    def __init__(self):
        self.train, self.valid = [], []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.train.append(batch)

    def on_validation_batch_start(
        self, trainer, pl_module, batch, batch_idx, dataloader_idx=0
    ):
        self.valid.append(batch)


def test_nodes_are_dropped_in_training_only_and_before_hop_2():
    seen = Batches()
    data = tiny.make_data(drop_nodes=0.3)
    trainer = tiny.make_trainer(max_epochs=1, callbacks=[seen])
    trainer.fit(tiny.make_model(), data)
    for batches, fewer in ((seen.train, True), (seen.valid, False)):
        ids = [i for batch in batches for i in batch.graph_id.tolist()]
        whole = Batch.from_data_list([data.dataset[i] for i in ids])
        num_nodes = sum(batch.num_nodes for batch in batches)
        assert (num_nodes < whole.num_nodes) == fewer
        assert fewer or num_nodes == whole.num_nodes
        for batch in batches:
            edge, attr = two_hop_edges(batch.edge_index, batch.edge_attr)
            assert torch.equal(batch.edge_index_2hop, edge)
            assert torch.equal(batch.edge_attr_2hop, attr)


@pytest.mark.parametrize('num_workers', [0, 1])
def test_kept_hop_2_edges_are_those_of_each_batch(num_workers):
    seen = []
    for keep in (True, False):
        torch.manual_seed(0)
        batches = Batches()
        data = tiny.make_data(
            drop_nodes=0.0, keep_two_hop=keep, num_workers=num_workers
        )
        trainer = tiny.make_trainer(max_epochs=1, callbacks=[batches])
        trainer.fit(tiny.make_model(), data)
        seen.append([*batches.train, *batches.valid])
    for kept, made in zip(*seen, strict=True):
        assert set(kept.keys()) == set(made.keys())
        for key in sorted(made.keys()):
            assert torch.equal(kept[key], made[key])


def test_dataset_with_a_transform():
    class Transformed(HopMixtureDataModule):
        def load(self):
            dataset = super().load()
            dataset.transform = Constant()
            return dataset

    data = Transformed(num_graphs=60, batch_size=8)
    data.setup()
    batch = next(iter(data.test_dataloader()))
    assert (batch.x[:, -1] == 1).all()
    assert 'edge_index_2hop' in data.on_after_batch_transfer(batch, 0)


def test_hop_2_edges_as_asked_for():
    def edges(two_hop):
        data = set_up(two_hop=two_hop)
        batch = next(iter(data.test_dataloader()))
        return data.on_after_batch_transfer(batch, 0).get('edge_index_2hop')

    assert edges(None) is None
    assert edges('exact').shape != edges('released').shape


@pytest.mark.parametrize('name', ['ogb', 'webnlg'])
def test_given_cache_dir(tmp_path, name):
    root, cache = tmp_path / 'root', tmp_path / 'cache'
    if name == 'ogb':
        write_tables(root / 'ogbg_moltox21', TABLES)
        data = OGBMolDataModule('ogbg-moltox21', root, cache_dir=cache)
    else:
        data = WebNLGDataModule(write_release(root), dim=16, cache_dir=cache)
    before = contents(root)
    data.prepare_data()
    data.setup()
    assert contents(root) == before
    assert any(path.is_file() for path in cache.rglob('*'))
