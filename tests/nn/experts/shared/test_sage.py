"""SAGE and GraphConv: one sum or mean of the input for all experts."""

import pytest
import torch
from torch_geometric import EdgeIndex
from torch_geometric.nn import GraphConv, SAGEConv

from tests.nn.experts.shared.like_loop import (
    assert_like_the_loop,
    make_graph,
    make_pair,
)

KINDS = {
    'sage': lambda: SAGEConv(4, 5),
    'sage_sum': lambda: SAGEConv(4, 5, aggr='sum', bias=False),
    'sage_alone': lambda: SAGEConv(4, 5, root_weight=False),
    'sage_normalize': lambda: SAGEConv(4, 5, normalize=True),
    'sage_reverse': lambda: SAGEConv(4, 5, flow='target_to_source'),
    'sage_pair': lambda: SAGEConv((4, 4), 5, aggr='add'),
    'graph': lambda: GraphConv(4, 5),
    'graph_mean': lambda: GraphConv(4, 5, aggr='mean', bias=False),
    'graph_reverse': lambda: GraphConv(4, 5, flow='target_to_source'),
}


@pytest.mark.parametrize('m', [0, 2, 4])
@pytest.mark.parametrize('kind', KINDS)
def test_each_setting(kind, m):
    pair = make_pair([KINDS[kind]() for _ in range(4)], m)
    assert_like_the_loop(*pair, make_graph(seed=m), 'graph' in kind)


@pytest.mark.parametrize('kind', ['sage', 'graph'])
@pytest.mark.parametrize('size', [(1, 0), (2, 1), (3, 9)])
def test_small_graphs_and_experts_without_nodes(kind, size):
    pair = make_pair([KINDS[kind]() for _ in range(9)], 5, 1, norm=None)
    assert_like_the_loop(*pair, make_graph(*size))


@pytest.mark.parametrize('top_k', [1, 3, 4])
def test_every_top_k(top_k):
    pair = make_pair([SAGEConv(4, 5) for _ in range(4)], 2, top_k)
    assert_like_the_loop(*pair, make_graph(), calls=2)


def test_edge_index_of_pyg():
    conv, _ = make_pair([SAGEConv(4, 5) for _ in range(3)])
    data = make_graph()
    edges = EdgeIndex(data.edge_index, sparse_size=(14, 14))
    out = conv.eval()(data.x, edges)
    assert torch.equal(out, conv(data.x, data.edge_index))
