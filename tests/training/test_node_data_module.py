"""One graph in each step."""

import pytest
import torch

from gmoe.training import NodeDataModule
from gmoe.transforms import RouterInput
from tests.datasets.nodes import small


@pytest.fixture
def path(tmp_path):
    torch.save(small.make_graph(num_splits=4), tmp_path / 'mine.pt')
    return str(tmp_path / 'mine.pt')


def batches(data, loader):
    return [data.on_after_batch_transfer(batch, 0) for batch in loader]


def test_what_a_network_needs_to_know(path):
    data = NodeDataModule(path)
    assert (data.name, data.in_channels) == ('mine', 5)
    assert (data.num_tasks, data.num_classes, data.num_outputs) == (1, 3, 3)
    assert (data.monitor, data.monitor_mode) == ('val/accuracy', 'max')
    assert NodeDataModule(path, metric='macro_f1').monitor == 'val/macro_f1'


def test_steps_hold_the_graph_and_the_nodes_of_a_split(path):
    data = NodeDataModule(path, split=2, steps_per_epoch=3, two_hop='exact')
    data.setup()
    expected = small.make_graph(num_splits=4)
    steps = batches(data, data.train_dataloader())
    assert len(steps) == 3
    loaders = {
        'train': data.train_dataloader(),
        'val': data.val_dataloader(),
        'test': data.test_dataloader(),
    }
    for name, loader in loaders.items():
        batch = batches(data, loader)[0]
        index = expected[f'{name}_mask'][:, 2].nonzero().view(-1)
        assert torch.equal(batch.target, index)
        assert torch.equal(batch.graph_id, index)
        assert torch.equal(batch.y, expected.y[index])
        assert torch.equal(batch.x, expected.x)
        assert batch.num_edges == 2 * expected.num_edges
        assert batch.edge_index_2hop is steps[0].edge_index_2hop
    assert torch.equal(
        data.train_targets(), expected.y[expected.train_mask[:, 2]]
    )
    (batch,) = batches(data, data.predict_dataloader())
    assert torch.equal(batch.target, torch.arange(small.NUM_NODES))


class Trainer:
    def __init__(self, training):
        self.training = training


def test_evaluation_looks_at_all_hop_2_edges(path):
    data = NodeDataModule(path, two_hop='exact', max_hop2_neighbors=1)
    data.setup()
    sizes = {}
    for training in (True, False):
        data.trainer = Trainer(training)
        (batch,) = batches(data, data.train_dataloader())
        sizes[training] = batch.edge_index_2hop.size(1)
        again = batches(data, data.train_dataloader())[0]
        assert again.edge_index_2hop is batch.edge_index_2hop
    assert sizes[True] == small.NUM_NODES < sizes[False]


def test_columns_for_the_router(path):
    assert NodeDataModule(path).router_columns == 0
    columns = ['degree', 'walks']
    data = NodeDataModule(path, router_input=columns, router_walks=2)
    assert data.router_columns == 3
    data.setup()
    (batch,) = batches(data, data.val_dataloader())
    expected = RouterInput(columns, 2)(batch.clone()).router_input
    assert torch.equal(batch.router_input, expected)
    degree = torch.bincount(batch.edge_index[0], minlength=small.NUM_NODES)
    torch.testing.assert_close(expected[:, 0], degree.float().log1p())


def test_columns_are_those_of_the_whole_graph(path):
    data = NodeDataModule(
        path, router_input=['degree'], batch='parts', num_parts=3
    )
    data.setup()
    columns = data.graph.data.router_input
    parts = batches(data, data.train_dataloader())
    assert len(parts) == 3
    for part in parts:
        assert len(part.router_input) == len(part.x)
        found = part.router_input[part.target]
        assert torch.equal(found, columns[part.graph_id])


def test_normalized_features(path):
    data = NodeDataModule(path, normalize_features=True)
    total = data.graph.data.x.sum(dim=1)
    has_some = small.make_graph(num_splits=4).x.sum(dim=1) > 0
    torch.testing.assert_close(total, has_some.float())


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        ({'steps_per_epoch': 0}, "'steps_per_epoch' must be"),
        ({'predict_split': 'val'}, "'predict_split' must be"),
        ({'metric': 'speed'}, "'metric' must be one of"),
        ({'max_hop2_pairs': 0}, "'max_hop2_pairs' must be"),
        ({'two_hop': 'near'}, "'two_hop' must be"),
        ({'router_input': ['rank']}, "'router_input' must be one of"),
        ({'router_walks': 0}, "'router_walks' must be"),
    ],
)
def test_refused(kwargs, message, path):
    with pytest.raises(ValueError, match=message):
        NodeDataModule(path, **kwargs)


def test_score_of_another_task(path):
    with pytest.raises(ValueError, match="'metric' must be one of .*'rmse'"):
        _ = NodeDataModule(path, metric='rmse').eval_metric
