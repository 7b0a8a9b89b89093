"""Hop-2 edges without a node between their ends."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gmoe.nn import GNN, GCNExperts, GMoEConv, Neighborhood
from gmoe.nn.hop_check import check_hop_2
from gmoe.ops import two_hop_edges
from tests.graphs import graphs, random_graph


def hood(edge_index, num_nodes):
    return Neighborhood.from_edge_index(edge_index, None, num_nodes)


@settings(max_examples=150, deadline=None)
@given(graphs(), st.sampled_from(['exact', 'released']), st.data())
def test_loop(data, mode, draw):
    n = data.num_nodes
    hop1 = hood(data.edge_index, n)
    edges, _ = two_hop_edges(data.edge_index, num_nodes=n, mode=mode)
    check_hop_2(hop1, hood(edges, n))

    node = st.integers(0, n - 1)
    u, w = draw.draw(node), draw.draw(node)
    edges = torch.cat([edges, torch.tensor([[u], [w]])], dim=1)
    known = list(zip(*data.edge_index.tolist()))
    if any((u, v) in known and (v, w) in known for v in range(n)):
        check_hop_2(hop1, hood(edges, n))
    else:
        with pytest.raises(ValueError, match=f'got {u} -> {w}, .*TwoHop last'):
            check_hop_2(hop1, hood(edges, n))


def test_few_of_many_edges_and_hubs():
    # A hub has more paths than are followed: they are not taken for missing.
    n = 5000
    leaf = torch.arange(1, n)
    star = torch.stack([leaf, torch.zeros_like(leaf)])
    star = torch.cat([star, star.flip(0)], dim=1)
    pairs = torch.stack([leaf, leaf.roll(1)])
    check_hop_2(hood(star, n), hood(pairs, n))
    chain = torch.stack([leaf - 1, leaf])
    two = torch.stack([leaf[:-1] - 1, leaf[1:]])
    check_hop_2(hood(chain, n), hood(two, n))
    with pytest.raises(ValueError, match='no two edges lead'):
        check_hop_2(hood(chain, n), hood(two.flip(0), n))


@pytest.mark.parametrize('num_experts_1hop', [0, 2])
def test_layers_and_networks(num_experts_1hop):
    data = random_graph()
    wrong = torch.tensor([[0, 1, 2, 3], [5, 6, 7, 8]])
    bank = GCNExperts(4, 4, 4, num_experts_1hop)
    conv = GMoEConv(bank, top_k=2).double()
    net = GNN(
        hidden_channels=4,
        node_dims=4,
        edge_dims=None,
        num_experts=4,
        num_experts_1hop=num_experts_1hop,
        top_k=2,
    ).double()
    with pytest.raises(ValueError, match="'edge_index_2hop' must hold hop-2"):
        conv(data.x, data.edge_index, edge_index_2hop=wrong)
    with pytest.raises(ValueError, match="'edge_index_2hop' must hold hop-2"):
        net(data.x, data.edge_index, edge_index_2hop=wrong)
    with pytest.raises(ValueError, match='to 8, got 9: apply .*TwoHop last'):
        conv(data.x, data.edge_index, edge_index_2hop=wrong + 1)
    # Edges of one's own choice.
    conv(data.x, data.edge_index, edge_index_2hop=hood(wrong, 9))
    if num_experts_1hop == 0:
        conv(data.x, None, edge_index_2hop=wrong)
