"""What the steps of an epoch see."""

import pytest
import torch
from torch_geometric import loader
from torch_geometric.data import Data
from torch_geometric.utils import k_hop_subgraph, to_undirected

from gmoe.datasets.links.pairs import NonEdges, pair_keys
from gmoe.datasets.nodes.parts import NodeParts
from gmoe.training.graph_steps import GraphSteps
from gmoe.training.link_steps import (
    LinkBatches,
    LinkParts,
    LinkSteps,
    NearPairs,
)
from gmoe.training.node_batches import BatchSettings, PartSampler, step_loader
from gmoe.training.node_hops import NodeHops
from tests.datasets.links.small import LINKS, NUM_NODES

GRAPH = Data(edge_index=to_undirected(LINKS), num_nodes=NUM_NODES)
COLUMNS = torch.arange(float(NUM_NODES))[:, None]


def steps(epoch, seed=0):
    sampler = LinkBatches(LINKS.size(1), 10, seed)
    sampler.set_epoch(epoch)
    loader = step_loader(LinkSteps(LINKS, NonEdges(LINKS, 12)), sampler)
    assert len(loader) == 3
    return list(loader)


def test_each_link_once_and_as_many_others():
    batches = steps(0)
    keys = {1: [], 0: []}
    for batch, count in zip(batches, (10, 10, 4), strict=True):
        assert batch.pairs.shape == (2, 2 * count)
        assert batch.y.tolist() == [1] * count + [0] * count
        assert torch.equal(batch.graph_id, torch.arange(2 * count))
        for label, kept in keys.items():
            pairs = batch.pairs[:, batch.y == label]
            kept.append(pair_keys(pairs, NUM_NODES))
    links = pair_keys(LINKS, NUM_NODES)
    assert torch.equal(torch.cat(keys[1]).sort()[0], links.sort()[0])
    assert not torch.isin(torch.cat(keys[0]), links).any()


def test_seed_and_epoch_decide():
    same = [torch.equal(a.pairs, b.pairs) for a, b in zip(steps(1), steps(1))]
    assert all(same)
    state = torch.get_rng_state()
    for other in (steps(2), steps(1, seed=1), steps(0)):
        for a, b in zip(steps(1), other):
            assert not torch.equal(a.pairs[:, :4], b.pairs[:, :4])
            assert not torch.equal(a.pairs[:, -4:], b.pairs[:, -4:])
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize('num_links', [24, 23, 1])
def test_processes_have_links_of_their_own(num_links):
    samplers = [LinkBatches(num_links, 5, 0, 3, rank) for rank in range(3)]
    rows = [[rows for rows, _ in sampler] for sampler in samplers]
    seeds = [seed for sampler in samplers for _, seed in sampler]
    assert len(set(seeds)) == len(seeds)
    sizes = [[len(batch) for batch in each] for each in rows]
    assert sizes[0] == sizes[1] == sizes[2]
    assert len(sizes[0]) == len(samplers[0])
    counts = torch.cat([batch for each in rows for batch in each]).bincount()
    # As few as can be are there again.
    assert len(counts) == num_links
    assert counts.min() >= 1
    assert counts.sum() == -(-num_links // 3) * 3


def check_graph(batch):
    """The batch's edges are of the graph, and so are its links; its other
    pairs are not."""
    known = pair_keys(LINKS, NUM_NODES)
    for pairs, expected in (
        (batch.edge_index, True),
        (batch.pairs[:, batch.y == 1], True),
        (batch.pairs[:, batch.y == 0], False),
    ):
        keys = pair_keys(batch.node[pairs], NUM_NODES)
        assert (torch.isin(keys, known) == expected).all()
    assert batch.num_nodes == len(batch.node)
    assert torch.equal(batch.router_input, COLUMNS[batch.node])


def test_parts():
    """All links within parts of a batch, and as many others of them."""
    part = torch.arange(NUM_NODES) // 3
    parts = LinkParts(
        NodeParts(GRAPH, part), GraphSteps(NodeHops(), True, COLUMNS)
    )
    sampler = PartSampler(BatchSettings('parts', 4, 2), seed=1)
    for step in sampler:
        batch = parts[step]
        check_graph(batch)
        inside = torch.isin(part[LINKS], torch.tensor(step.parts)).all(dim=0)
        assert int((batch.y == 1).sum()) == int((batch.y == 0).sum())
        assert int(batch.y.sum()) == int(inside.sum()) > 0
        assert torch.equal(parts[step].pairs, batch.pairs)
        assert batch.edge_index_2hop.max() < 6
    assert len(parts) == 4


def test_parts_that_leave_nothing_to_draw():
    """A part whose nodes are all linked, and one of a single node."""
    graph = Data(edge_index=torch.tensor([[0, 1], [1, 0]]), num_nodes=3)
    whole = NodeParts(graph, torch.tensor([0, 0, 1]))
    parts = LinkParts(whole, GraphSteps(None, True))
    made = [parts[step] for step in PartSampler(BatchSettings('parts', 2))]
    assert sorted(batch.y.tolist() for batch in made) == [[], [1]]


class All:
    """Stands in for PyG's NeighborLoader, which needs what draws: all
    neighbours of the nodes, in its order."""

    def __init__(self, data, num_neighbors):
        self.data, self.hops = data, len(num_neighbors)

    def __call__(self, seeds):
        near = k_hop_subgraph(
            seeds, self.hops, self.data.edge_index, num_nodes=NUM_NODES
        )[0]
        node = torch.cat([seeds, near[~torch.isin(near, seeds)]])
        place = torch.full((NUM_NODES,), -1)
        place[node] = torch.arange(len(node))
        ends = place[self.data.edge_index]
        return Data(edge_index=ends[:, (ends >= 0).all(dim=0)], n_id=node)


def test_neighbors(monkeypatch):
    monkeypatch.setattr(loader, 'NeighborLoader', All)
    settings = BatchSettings(num_neighbors=(2,))
    near = NearPairs(GRAPH, settings, GraphSteps(None, True, COLUMNS))
    others = NonEdges(LINKS, NUM_NODES)
    (step, *_) = LinkBatches(LINKS.size(1), 2, 0)
    batch = LinkSteps(LINKS, others, near)[step]
    check_graph(batch)
    # The nodes of pairs come first.
    assert int(batch.pairs.max()) + 1 == batch.pairs.unique().numel()
    plain = LinkSteps(LINKS, others)[step]
    assert torch.equal(batch.node[batch.pairs], plain.pairs)
    assert torch.equal(batch.y, plain.y)
