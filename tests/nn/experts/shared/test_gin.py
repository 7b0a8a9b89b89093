"""GIN without edge features: one sum of the input for all experts."""

import pytest
import torch
from torch import nn
from torch_geometric.nn import MLP, GINConv

from tests.nn.experts.shared.like_loop import (
    assert_like_the_loop,
    make_graph,
    make_pair,
)


def network(norm=True):
    norms = [nn.BatchNorm1d(8)] if norm else []
    return nn.Sequential(nn.Linear(4, 8), *norms, nn.ReLU(), nn.Linear(8, 5))


KINDS = {
    'linear': lambda: GINConv(nn.Linear(4, 5)),
    'two': lambda: GINConv(network(norm=False), eps=0.5),
    'learned': lambda: GINConv(network(norm=False), train_eps=True),
    'mean': lambda: GINConv(nn.Linear(4, 5), aggr='mean'),
    'reverse': lambda: GINConv(nn.Linear(4, 5), flow='target_to_source'),
    'mlp': lambda: GINConv(MLP([4, 8, 5], norm=None)),
    'other': lambda: GINConv(nn.Sequential(nn.Linear(4, 5), nn.LayerNorm(5))),
}


@pytest.mark.parametrize('m', [0, 2, 4])
@pytest.mark.parametrize('kind', KINDS)
def test_each_setting(kind, m):
    pair = make_pair([KINDS[kind]() for _ in range(4)], m)
    assert_like_the_loop(*pair, make_graph(seed=m))


@pytest.mark.parametrize('make', [network, lambda: MLP([4, 8, 5])])
def test_batch_statistics_in_evaluation(make):
    pair = make_pair([GINConv(make()) for _ in range(4)], 3)
    for layer in pair:
        layer.eval()
    assert_like_the_loop(*pair, make_graph())


@pytest.mark.parametrize('make', [network, lambda: MLP([4, 8, 5])])
def test_batch_statistics_in_training_are_those_of_the_routed_rows(make):
    conv, loop = make_pair([GINConv(make()) for _ in range(3)], norm=None)
    data = make_graph(40, 80)
    torch.manual_seed(7)
    out = conv(data.x, data.edge_index)
    torch.manual_seed(7)
    gates = loop.router(data.x).gates
    expected = torch.zeros_like(out)
    sums = data.x.clone().index_add(
        0, data.edge_index[1], data.x[data.edge_index[0]]
    )
    for o, expert in enumerate(loop.experts.experts):
        node = gates[:, o].nonzero().view(-1)
        assert 1 < node.numel() < 40
        rows = expert.nn(sums[node]) * gates[node, o].unsqueeze(-1)
        expected = expected.index_add(0, node, rows)
    torch.testing.assert_close(out, expected, rtol=1e-10, atol=1e-10)
    grads = [
        torch.autograd.grad(y.square().sum(), layer.experts.parameters())
        for y, layer in ((out, conv), (expected, loop))
    ]
    for grad, other in zip(*grads):
        torch.testing.assert_close(grad, other, rtol=1e-9, atol=1e-9)
    for name, value in conv.experts.state_dict().items():
        torch.testing.assert_close(value, loop.experts.state_dict()[name])


@pytest.mark.parametrize('size', [(1, 0), (2, 1), (3, 9)])
def test_small_graphs_and_experts_without_nodes(size):
    modules = [KINDS['two']() for _ in range(9)]
    pair = make_pair(modules, 5, 1, norm=None)
    assert_like_the_loop(*pair, make_graph(*size))


@pytest.mark.parametrize('kind', ['two', 'other'])
def test_no_nodes(kind):
    conv, _ = make_pair([KINDS[kind]() for _ in range(3)])
    data = make_graph(0, 0)
    out = conv(data.x, data.edge_index)
    assert out.shape == (0, 5)
    out.sum().backward()
    assert all(p.grad is not None for p in conv.experts.parameters())
