"""One graph for all steps."""

import torch
from torch_geometric.data import Data

from gmoe.training.node_hops import NodeHops
from gmoe.training.whole_graph import SortedEdges, WholeGraph
from tests.datasets.links.small import LINKS, NUM_NODES

CPU = torch.device('cpu')


def make():
    edges = torch.cat([LINKS, LINKS.flip(0)], dim=1)
    return Data(edge_index=edges, num_nodes=NUM_NODES)


def test_moved_once():
    graph = WholeGraph(make(), None)
    assert graph.on(CPU, True) is graph.on(CPU, False)
    assert graph.on(CPU, True).to_dict().keys() == {'edge_index', 'num_nodes'}


def test_hop_2_edges_of_training():
    for most, is_same in ((None, True), (1, False)):
        graph = WholeGraph(make(), NodeHops('exact', max_neighbors=most))
        sizes = [
            graph.on(CPU, training).edge_index_2hop.size(1)
            for training in (True, False)
        ]
        assert (sizes[0] == sizes[1]) == is_same
        assert (graph.on(CPU, True) is graph.on(CPU, False)) == is_same
    assert sizes[0] == NUM_NODES


def test_sorted_once():
    data, edges = make(), SortedEdges()
    hop = edges.of(data, 'edge_index')
    assert hop is edges.of(data.clone().update(data), 'edge_index')
    order = data.edge_index[1].argsort(stable=True)
    assert torch.equal(hop.edge_index, data.edge_index[:, order])
    assert edges.of(data, 'edge_index', 'other') is not hop
    data.edge_index = data.edge_index.clone()
    assert edges.of(data, 'edge_index') is not hop
