"""What the mini-batches of an epoch hold."""

import pytest
import torch
from torch_geometric import loader, typing
from torch_geometric.data import Data
from torch_geometric.utils import k_hop_subgraph

from gmoe.datasets.nodes.parts import NodeParts
from gmoe.ops.two_hop import two_hop_edges
from gmoe.training.node_batches import (
    BatchSettings,
    FullSteps,
    NodeSteps,
    PartBatches,
    PartSampler,
    neighbor_loader,
    step_loader,
)
from gmoe.training.node_hops import NodeHops
from tests.graphs import random_graph

NUM_NODES = 60
TRAIN = torch.arange(0, NUM_NODES, 2)


def make_data():
    edges = random_graph(NUM_NODES, 300).edge_index
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(3, (NUM_NODES,), generator=generator)
    return Data(
        x=torch.arange(float(NUM_NODES))[:, None], edge_index=edges, y=y
    )


def make_batches(hops=None, is_training=True):
    data = make_data()
    part = torch.arange(NUM_NODES) % 6
    steps = NodeSteps(TRAIN, data.y, hops, is_training)
    return data, PartBatches(NodeParts(data, part), steps)


@pytest.mark.parametrize('per_batch', [1, 4, 6])
def test_every_training_node_once_an_epoch(per_batch):
    data, batches = make_batches()
    settings = BatchSettings('parts', 6, per_batch)
    sampler = PartSampler(settings)
    orders = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        made = list(step_loader(batches, sampler))
        assert len(made) == len(sampler) == -(-6 // per_batch)
        seen = torch.cat([batch.graph_id for batch in made])
        assert torch.equal(seen.sort()[0], TRAIN)
        orders.append([step.parts for step in sampler])
        for batch in made:
            # The features of this graph are its numbers.
            assert torch.equal(batch.x[batch.target, 0].long(), batch.graph_id)
            assert torch.equal(batch.y, data.y[batch.graph_id])
    if per_batch < 6:
        assert orders[0] != orders[1]
    sampler.set_epoch(1)
    assert [step.parts for step in sampler] == orders[1]


def test_processes_have_parts_of_their_own():
    settings = BatchSettings('parts', 6, 2)
    for epoch in range(3):
        samplers = [PartSampler(settings, 2, rank) for rank in range(2)]
        seen = []
        for rank, sampler in enumerate(samplers):
            sampler.set_epoch(epoch)
            own = sorted(part for step in sampler for part in step.parts)
            assert own == [rank, rank + 2, rank + 4]
            seen += own
        assert sorted(seen) == list(range(6))
        assert len(samplers[0]) == len(samplers[1]) == 2
    seeds = [step.seed for sampler in samplers for step in sampler]
    assert len(set(seeds)) == 4
    with pytest.raises(ValueError, match='multiple of the 4 processes.*got 6'):
        PartSampler(settings, 4, 0)


def test_hop_2_edges_are_those_of_the_batch():
    _, batches = make_batches(NodeHops(), is_training=True)
    (step, *_) = PartSampler(BatchSettings('parts', 6, 3))
    batch = batches[step]
    assert batch.num_nodes == 30
    expected = two_hop_edges(batch.edge_index, num_nodes=30, coalesce=True)[0]
    assert torch.equal(batch.edge_index_2hop, expected)


def test_drawn_hop_2_edges_differ_from_batch_to_batch():
    hops = NodeHops(max_neighbors=2)
    _, batches = make_batches(hops)
    sampler = PartSampler(BatchSettings('parts', 6, 6), shuffle=False)
    drawn = []
    for epoch in (0, 1, 0):
        sampler.set_epoch(epoch)
        (step,) = sampler
        drawn.append(batches[step].edge_index_2hop)
        assert torch.bincount(drawn[-1][1]).max() == 2
    assert not torch.equal(drawn[0], drawn[1])
    assert torch.equal(drawn[0], drawn[2])
    _, batches = make_batches(hops, is_training=False)
    (step,) = sampler
    assert torch.bincount(batches[step].edge_index_2hop[1]).max() > 2


def test_part_without_training_nodes():
    data, _ = make_batches()
    steps = NodeSteps(TRAIN, data.y, None, True)
    batches = PartBatches(NodeParts(data, torch.arange(NUM_NODES) % 2), steps)
    batch = batches[next(iter(PartSampler(BatchSettings('parts', 2), 2, 1)))]
    assert batch.num_nodes == 30
    assert batch.y.shape == batch.target.shape == (0,)


def test_whole_graph():
    y = torch.arange(3)
    made = list(step_loader(FullSteps(torch.tensor([4, 7, 9]), y, 2)))
    assert len(made) == 2
    assert made[0].graph_id.tolist() == made[1].target.tolist() == [4, 7, 9]


class Neighbors(loader.DataLoader):
    """Stands in for PyG's NeighborLoader where what draws is missing: it
    takes all neighbours, and gives what PyG's gives."""

    def __init__(self, data, num_neighbors, input_nodes, transform, **kwargs):
        def collate(places):
            seeds = input_nodes[torch.stack(places)]
            near = k_hop_subgraph(
                seeds, len(num_neighbors), data.edge_index, num_nodes=60
            )[0]
            others = near[~torch.isin(near, seeds)]
            node = torch.cat([seeds, others])
            batch = data.subgraph(near)
            place = torch.full((60,), -1)
            place[node] = torch.arange(len(node))
            batch.edge_index = place[near[batch.edge_index]]
            batch.x, batch.n_id = data.x[node], node
            batch.batch_size = len(seeds)
            return transform(batch)

        torch.utils.data.DataLoader.__init__(
            self, torch.arange(len(input_nodes)), collate_fn=collate, **kwargs
        )


def test_neighbors(monkeypatch):
    monkeypatch.setattr(typing, 'WITH_PYG_LIB', True)
    if not (typing.WITH_TORCH_SPARSE):
        monkeypatch.setattr(loader, 'NeighborLoader', Neighbors)
    settings = BatchSettings('neighbors', batch_size=8, num_neighbors=(-1,))
    data = make_data()
    steps = NodeSteps(TRAIN, data.y, NodeHops(max_neighbors=2), True)
    batches = neighbor_loader(data, TRAIN, settings, steps, seed=0)
    orders = []
    for epoch in range(2):
        batches.sampler.set_epoch(epoch)
        made = list(batches)
        assert len(made) == len(batches) == 4
        orders.append(torch.cat([batch.graph_id for batch in made]))
        assert torch.equal(orders[-1].sort()[0], TRAIN)
        for batch in made:
            assert torch.equal(batch.x[batch.target, 0].long(), batch.graph_id)
            assert torch.equal(batch.y, data.y[batch.graph_id])
            assert torch.bincount(batch.edge_index_2hop[1]).max() == 2
            ends = batch.x[batch.edge_index, 0].long()
            known = set(map(tuple, data.edge_index.t().tolist()))
            assert set(map(tuple, ends.t().tolist())) <= known
    assert not torch.equal(*orders)


def test_what_draws_neighbors_is_missing(monkeypatch):
    monkeypatch.setattr(typing, 'WITH_PYG_LIB', False)
    monkeypatch.setattr(typing, 'WITH_TORCH_SPARSE', False)
    with pytest.raises(ImportError, match="pyg-lib .*torch-sparse.*'parts'"):
        BatchSettings('neighbors')
    BatchSettings('parts')


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'kind': 'some'}, "'batch' must be one of"),
        ({'num_parts': 0}, "'num_parts' must be an integer >= 1"),
        (
            {'num_parts': 4, 'parts_per_batch': 5},
            "'parts_per_batch' must .* 4",
        ),
        ({'batch_size': 0.5}, "'batch_size' must be"),
        ({'num_neighbors': [5, -2]}, "'num_neighbors' must .*got -2"),
        ({'num_neighbors': []}, "'num_neighbors' must"),
    ],
)
def test_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        BatchSettings(**settings)
