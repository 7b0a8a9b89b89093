"""Rows that a router sees, one node at a time."""

import pytest
import torch
from torch_geometric.nn import SAGEConv

from gmoe.nn import GMoEConv, ModuleExperts, Neighborhood
from gmoe.nn.router_view import neighbor_mean, router_view
from gmoe.ops.two_hop import two_hop_edges
from gmoe.routing import Router
from tests.graphs import random_graph

# Node 4 is isolated, node 3 only sends, one edge is there twice.
EDGES = torch.tensor([[0, 1, 2, 3, 1, 1], [1, 0, 1, 2, 2, 2]])


def make_x(num_nodes=5):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(num_nodes, 4, generator=generator).double()


def slow_mean(x, edges):
    out = torch.zeros_like(x)
    for node in range(len(x)):
        near = edges[0][edges[1] == node].tolist()
        if near:
            out[node] = sum(x[j] for j in near) / len(near)
    return out


@pytest.mark.parametrize('edges', [EDGES, EDGES[:, :0]], ids=['some', 'none'])
def test_mean(edges):
    x = make_x().requires_grad_()
    hop = Neighborhood.from_edge_index(edges, None, 5)
    mean, expected = neighbor_mean(x, hop), slow_mean(x, edges)
    torch.testing.assert_close(mean, expected)
    weight = torch.rand_like(x)
    found, wanted = (
        torch.autograd.grad((out * weight).sum(), x, allow_unused=True)[0]
        for out in (mean, x * 0 + expected)
    )
    torch.testing.assert_close(found, wanted)


def test_parts():
    x, more = make_x(), torch.rand(5, 3)
    hop = Neighborhood.from_edge_index(EDGES, None, 5)
    assert torch.equal(router_view(x, None, None), x)
    expected = torch.cat([x, slow_mean(x, EDGES), more.double()], dim=1)
    torch.testing.assert_close(router_view(x, hop, more), expected)
    with pytest.raises(ValueError, match="'router_input' must have shape"):
        router_view(x, hop, more[:4])


def make_conv(num_experts_1hop, router=None):
    torch.manual_seed(0)
    experts = [SAGEConv(4, 4) for _ in range(3)]
    bank = ModuleExperts(experts, num_experts_1hop)
    top_k = 1 if router is None else None
    conv = GMoEConv(
        bank, top_k, router, norm=None, router_neighborhood=True
    ).double()
    torch.nn.init.normal_(conv.router.score_gate.weight)
    return conv.eval()


@pytest.mark.parametrize('num_experts_1hop', [0, 1, 3])
def test_layer(num_experts_1hop):
    data = random_graph(9, 12)
    far = two_hop_edges(data.edge_index, coalesce=True)[0]
    conv = make_conv(num_experts_1hop)
    seen = torch.cat([data.x, slow_mean(data.x, data.edge_index)], dim=1)
    gates = conv.router(seen).gates
    expected = 0
    for o, expert in enumerate(conv.experts.experts):
        hop = data.edge_index if o < num_experts_1hop else far
        expected = expected + gates[:, o : o + 1] * expert(data.x, hop)
    out, routing = conv(
        data.x, data.edge_index, edge_index_2hop=far, return_routing=True
    )
    torch.testing.assert_close(routing.gates, gates)
    torch.testing.assert_close(out, expected)


def test_router_of_ones_own():
    data = random_graph(9, 12)
    conv = make_conv(3, Router(11, 3, 1))
    more = torch.rand(9, 3).double()
    _, routing = conv(
        data.x, data.edge_index, router_input=more, return_routing=True
    )
    mean = slow_mean(data.x, data.edge_index)
    expected = conv.router(torch.cat([data.x, mean, more], dim=1))
    torch.testing.assert_close(routing.gates, expected.gates)
    with pytest.raises(ValueError, match=r"'x' must have shape .*11\], got"):
        conv(data.x, data.edge_index)
