"""The convolution with linear messages against a loop over edges."""

import math

import pytest
import torch
from hypothesis import given, settings

from gmoe.nn import LinearGCNConv, Neighborhood
from tests.graphs import EDGE_DIMS, graphs, random_graph


def slow(conv, data):
    """One edge at a time; the degrees are those of the sources."""
    h = [conv.linear.weight @ x + conv.linear.bias for x in data.x]
    degree = [1 + int((data.edge_index[0] == i).sum()) for i in range(len(h))]
    out = [(h[i] + conv.root) / degree[i] for i in range(len(h))]
    tables = conv.edge_encoder.weight.split(EDGE_DIMS)
    for (j, i), attr in zip(data.edge_index.t().tolist(), data.edge_attr):
        term = sum(table[code] for table, code in zip(tables, attr))
        out[i] = out[i] + (h[j] + term) / math.sqrt(degree[i] * degree[j])
    return torch.stack(out)


@settings(max_examples=30, deadline=None)
@given(data=graphs())
def test_loop(data):
    torch.manual_seed(0)
    conv = LinearGCNConv(4, 6, EDGE_DIMS).double()
    expected = slow(conv, data)
    out = conv(data.x, data.edge_index, data.edge_attr)
    assert torch.allclose(out, expected, rtol=1e-12, atol=1e-12)
    hop = Neighborhood.from_edge_index(
        data.edge_index, data.edge_attr, data.num_nodes
    )
    assert torch.allclose(conv(data.x, hop), expected, rtol=1e-12, atol=1e-12)


def test_gradient():
    conv = LinearGCNConv(4, 3, EDGE_DIMS).double()
    data = random_graph()
    x = data.x.requires_grad_()
    args = (data.edge_index, data.edge_attr)
    assert torch.autograd.gradcheck(lambda x: conv(x, *args), (x,))


def test_contract():
    conv = LinearGCNConv(4, 6)
    assert str(conv) == 'LinearGCNConv(4, 6)'
    with pytest.raises(ValueError, match="'edge_attr' must be given"):
        LinearGCNConv(4, 6, 3)(torch.randn(2, 4), torch.zeros(2, 0).long())
