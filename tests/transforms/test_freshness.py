"""Hop-2 edges of other hop-1 edges are found, others are left alone."""

import copy
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Batch, Data, InMemoryDataset
from torch_geometric.loader import DataLoader
from torch_geometric.loader.utils import filter_data
from torch_geometric.transforms import (
    Compose,
    RemoveIsolatedNodes,
    ToUndirected,
)

from gmoe.datasets import HopMixture
from gmoe.nn import GCNExperts, GMoEConv
from gmoe.training import GraphPredictor, HopMixtureDataModule
from gmoe.transforms import DropNodes, TwoHop, check_two_hop
from gmoe.transforms.freshness import FINGERPRINT, hop_fingerprint
from tests.graphs import graphs, random_graph


def with_isolated_nodes(seed: int = 0) -> Data:
    data = random_graph(20, 30, seed=seed)
    data.edge_index = 2 * data.edge_index % 20  # The odd nodes have no edge.
    return data


def sampled(data: Data) -> Data:
    """What a NeighborLoader makes of some nodes and the edges in order."""
    node = torch.tensor([19, 3, 4, 8, 16, 0, 12, 2])
    position = torch.full((data.num_nodes,), -1)
    position[node] = torch.arange(node.numel())
    row, col = position[data.edge_index]
    edge = ((row >= 0) & (col >= 0)).nonzero().view(-1)
    return filter_data(data, node, row[edge], col[edge], edge, None)


STALE: dict[str, Callable[[Data], Data]] = {
    'isolated nodes': Compose([TwoHop(), RemoveIsolatedNodes()]),
    'sampled': Compose([TwoHop(), sampled]),
    'undirected': Compose([TwoHop(), ToUndirected()]),
    'subgraph': Compose([TwoHop(), lambda d: d.subgraph(torch.arange(4, 20))]),
}
FRESH: dict[str, Callable[[Data], Data]] = {
    'isolated nodes': Compose([RemoveIsolatedNodes(), TwoHop()]),
    'sampled': Compose([sampled, TwoHop()]),
    'again': Compose([TwoHop(), RemoveIsolatedNodes(), TwoHop()]),
    'dropped': Compose([DropNodes(), TwoHop('released', coalesce=True)]),
}


@pytest.mark.parametrize('how', STALE)
@pytest.mark.parametrize('batched', [False, True])
def test_stale_edges_are_refused(how: str, batched: bool):
    data = STALE[how](with_isolated_nodes())
    if batched:
        fresh = TwoHop()(random_graph())
        data = next(iter(DataLoader([fresh, data, fresh], batch_size=3)))
    with pytest.raises(ValueError, match="'edge_index_2hop'.*TwoHop last"):
        check_two_hop(data)

    model = GraphPredictor(
        'hop-mixture',
        metric='acc',
        node_dims=4,
        edge_dims=None,
        hidden_channels=4,
        num_experts=4,
        num_experts_1hop=2,
        top_k=2,
    ).double()
    with pytest.raises(ValueError, match="'edge_index_2hop'.*TwoHop last"):
        model(data)

    if how != 'undirected':  # There each of the edges is still a hop-2 edge.
        conv = GMoEConv(GCNExperts(4, 4, 4, 2), top_k=2).double()
        with pytest.raises(ValueError, match="'edge_index_2hop'.*TwoHop last"):
            conv(data.x, data.edge_index, edge_index_2hop=data.edge_index_2hop)


@pytest.mark.parametrize('how', FRESH)
def test_fresh_edges_are_accepted(how: str):
    data_list = [FRESH[how](with_isolated_nodes(seed)) for seed in range(6)]
    conv = GMoEConv(GCNExperts(4, 4, 4, 2), top_k=2).double()
    batch = Batch.from_data_list(data_list)
    for data in (*data_list, batch, batch[2], *batch.to_data_list()):
        check_two_hop(data)
        conv(data.x, data.edge_index, edge_index_2hop=data.edge_index_2hop)
        changed = copy.copy(data)
        changed.edge_index = data.edge_index[:, 1:]
        with pytest.raises(ValueError, match='TwoHop last'):
            check_two_hop(changed)


@settings(max_examples=60, deadline=None)
@given(st.lists(graphs(), min_size=1, max_size=4), st.data())
def test_fingerprint_is_that_of_the_edges_of_each_graph(data_list, draw):
    batch = Batch.from_data_list(data_list)
    values = hop_fingerprint(batch)
    assert torch.equal(values, torch.cat([*map(hop_fingerprint, data_list)]))
    del batch.ptr
    assert torch.equal(hop_fingerprint(batch), values)
    for data, value in zip(data_list, values):
        edges = data.edge_index
        assert bool(value == 0) == (edges.numel() == 0)
        perm = torch.randperm(edges.size(1))
        assert hop_fingerprint(Data(edge_index=edges[:, perm])) == value
        if edges.numel() > 0:
            side = draw.draw(st.integers(0, 1))
            moved = edges.clone()
            moved[side, 0] += draw.draw(st.integers(1, 9))
            assert hop_fingerprint(Data(edge_index=moved)) != value


def test_fingerprint_is_what_is_on_disk():
    ring = Data(edge_index=torch.tensor([[0, 1, 2], [1, 2, 0]]), num_nodes=3)
    assert TwoHop()(ring)[FINGERPRINT].tolist() == [-5103621371069887137]


def test_what_is_saved_and_what_an_older_version_made(tmp_path):
    class Saved(InMemoryDataset):
        def __init__(self) -> None:
            super().__init__(str(tmp_path), pre_transform=TwoHop())
            self.load(self.processed_paths[0])

        processed_file_names = ('data.pt',)

        def process(self) -> None:
            made = [
                self.pre_transform(with_isolated_nodes(seed))
                for seed in range(3)
            ]
            self.save(made, self.processed_paths[0])

    Saved()
    dataset = Saved()  # From the file.
    check_two_hop(dataset[1])
    stale = RemoveIsolatedNodes()(copy.copy(dataset[1]))
    with pytest.raises(ValueError, match='TwoHop last'):
        check_two_hop(stale)
    del stale[FINGERPRINT]
    check_two_hop(stale)  # There is nothing to compare.
    check_two_hop(random_graph())
    check_two_hop(None)


def test_kept_hop_2_edges_keep_their_fingerprint():
    module = HopMixtureDataModule(num_graphs=40, batch_size=7)
    module.setup()
    for batch in module.train_dataloader():
        assert batch[FINGERPRINT].tolist() == hop_fingerprint(batch).tolist()
    graph = HopMixture(40)[3]
    assert FINGERPRINT not in graph
    with pytest.raises(ValueError, match='TwoHop'):
        DropNodes()(TwoHop()(graph))
