"""Pairs of nodes in each step."""

import pytest
import torch
from lightning.pytorch import Callback

from gmoe.training import LinkDataModule, LinkPredictor
from tests.datasets.links import small
from tests.training import tiny


@pytest.fixture
def path(tmp_path):
    return str(small.write_table(tmp_path / 'mine.csv'))


def batches(data, loader):
    return [data.on_after_batch_transfer(batch, 0) for batch in loader]


def named(data, pairs):
    ids = data.graph.ids
    return {frozenset((ids[i], ids[j])) for i, j in pairs.t().tolist()}


def expected(pairs):
    return {frozenset((f'n{i:02}', f'n{j:02}')) for i, j in pairs.t().tolist()}


def test_what_a_network_needs_to_know(path, tmp_path):
    data = LinkDataModule(path)
    assert (data.name, data.in_channels, data.num_nodes) == ('mine', None, 12)
    assert data.num_outputs == 1
    assert (data.monitor, data.monitor_mode) == ('val/rocauc', 'max')
    assert LinkDataModule(path, metric='hits@50').monitor == 'val/hits@50'
    small.write_ogb(tmp_path, 'ogbl-ppa')
    data = LinkDataModule('ogbl-ppa', str(tmp_path))
    assert (data.in_channels, data.monitor) == (58, 'val/hits@100')


def test_steps(path):
    data = LinkDataModule(path, batch_size=10, two_hop='exact')
    data.setup()
    loaders = {
        'train': data.train_dataloader(),
        'valid': data.val_dataloader(),
        'test': data.test_dataloader(),
    }
    steps = {name: batches(data, each) for name, each in loaders.items()}
    assert [len(each) for each in steps.values()] == [2, 1, 1]
    for name, each in steps.items():
        pairs = torch.cat([batch.pairs for batch in each], dim=1)
        y = torch.cat([batch.y for batch in each])
        links = named(data, pairs[:, y == 1])
        assert links == expected(small.PARTS[name])
        if name in small.OTHERS:
            others = named(data, pairs[:, y == 0])
            assert others == expected(small.OTHERS[name])
        for batch in each:
            # Nothing but training links.
            edges = named(data, batch.edge_index)
            assert edges == expected(small.PARTS['train'])
            assert batch.edge_index.size(1) == 36
            assert batch.num_nodes == 12
            assert batch.edge_index_2hop is steps['test'][0].edge_index_2hop


def test_mini_batches(path):
    """In a run: training sees parts, evaluation the whole graph; routers see
    more than features in both."""
    data = LinkDataModule(
        path,
        batch='parts',
        num_parts=3,
        two_hop='exact',
        router_input=['degree', 'clustering'],
    )
    seen = Seen()
    trainer = tiny.make_trainer(max_epochs=2, callbacks=[seen])
    model = LinkPredictor(
        num_nodes=data.num_nodes,
        router_columns=data.router_columns,
        hidden_channels=8,
        num_experts=4,
        num_experts_1hop=2,
        top_k=2,
        norm='layer_norm',
    )
    start = model.gnn.embedding.weight.detach().clone()
    trainer.fit(model, datamodule=data)
    assert len(seen.steps) == 6
    for batch in seen.steps:
        assert batch.num_nodes < 12
        whole = data.graph.data.router_input[batch.node]
        assert torch.equal(batch.router_input, whole)
    assert not torch.equal(model.gnn.embedding.weight, start)
    (batch,) = batches(data, data.val_dataloader())
    assert batch.edge_index.size(1) == 36
    with torch.no_grad():
        out, _ = model.eval()(batch)
        part, _ = model(seen.steps[0])
    assert out.shape == (6, 1)
    assert part.shape == (seen.steps[0].y.numel(), 1)
    score = model.to_prediction(out).view(-1)
    right = (score[:3, None] > score[3:]).double().mean()
    assert float(trainer.callback_metrics['val/rocauc']) == pytest.approx(
        float(right)
    )


class Seen(Callback):
    """The batches of training."""

    def __init__(self):
        self.steps = []

    def on_train_batch_start(self, trainer, module, batch, number):
        self.steps.append(batch)


def test_numbers_are_those_of_the_pairs(path):
    data = LinkDataModule(path, predict_split='all')
    data.setup()
    (every,) = data.predict_dataloader()
    assert torch.equal(every.graph_id, torch.arange(24 + 5))
    (test,) = data.test_dataloader()
    assert torch.equal(every.pairs[:, test.graph_id], test.pairs)
    table = data.prediction_table(
        {
            'graph_id': test.graph_id,
            'target': test.y.view(-1, 1),
            'prediction': torch.linspace(0, 1, 5).view(-1, 1),
        }
    )
    assert table.columns.tolist() == [
        *('source', 'target', 'split', 'link', 'probability'),
    ]
    assert set(table['split']) == {'test'}
    assert table['link'].tolist() == ['1', '1', '1', '0', '0']
    assert table['source'][3] == 'n03'
    assert table['target'][3] == 'n08'


def test_pairs_of_ones_own(path, tmp_path):
    file = tmp_path / 'pairs.csv'
    file.write_text('source,target\nn00,n06\nn01,n00\n')
    data = LinkDataModule(path, pairs=str(file))
    data.setup()
    (batch,) = batches(data, data.predict_dataloader())
    assert batch.y.isnan().all()
    table = data.prediction_table(
        {
            'graph_id': batch.graph_id,
            'target': batch.y.view(-1, 1),
            'prediction': torch.tensor([[0.25], [0.5]]),
        }
    )
    assert table.values.tolist() == [
        ['n00', 'n06', '', '', 0.25],
        ['n01', 'n00', '', '', 0.5],
    ]
    file.write_text('source,target\nn00,n99\n')
    with pytest.raises(ValueError, match="'target' must be an id"):
        data.predict_dataloader()
    file.write_text('source,target\nn00,n00\n')
    with pytest.raises(ValueError, match="another node .* 'n00' in line 2"):
        data.predict_dataloader()


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        ({'batch_size': 0}, "'batch_size' must be"),
        ({'predict_split': 'val'}, "'predict_split' must be"),
        ({'metric': 'accuracy'}, "'metric' must be one of"),
        ({'max_hop2_pairs': 0}, "'max_hop2_pairs' must be"),
        ({'two_hop': 'near'}, "'two_hop' must be"),
        ({'batch': 'some'}, "'batch' must be one of"),
        ({'router_input': ['rank']}, "'router_input' must be one of"),
    ],
)
def test_refused(kwargs, message, path):
    with pytest.raises(ValueError, match=message):
        LinkDataModule(path, **kwargs)
