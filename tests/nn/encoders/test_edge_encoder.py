"""Tables of edge terms against one embedding per feature and edge."""

import math

import pytest
import torch

from gmoe.nn import Neighborhood, OGBGCNConv
from gmoe.nn.encoders import edge_encoder
from gmoe.nn.encoders.edge_encoder import (
    CategoricalEdgeEncoder,
    LinearEdgeEncoder,
)
from tests.graphs import EDGE_DIMS, random_graph


def make_hop(num_hops=1, num_edges=14, floats=None):
    parts = [random_graph(9, num_edges, seed=s) for s in range(num_hops)]
    attr = torch.cat([part.edge_attr for part in parts], dim=1)
    if floats is not None:
        generator = torch.Generator().manual_seed(0)
        attr = torch.randn(num_edges, floats, generator=generator).double()
    return Neighborhood.from_edge_index(parts[0].edge_index, attr, 9)


def terms(encoder, hop):
    """The term of each expert and edge, (n, E, D)."""
    tables, codes = encoder(hop)
    return sum(table[:, code] for table, code in zip(tables, codes))


def slow_terms(encoder, hop):
    rows = []
    for expert in range(encoder.num_experts):
        for attr in hop.edge_attr.tolist():
            total = 0
            for column, category in enumerate(attr):
                group, feature = divmod(column, len(encoder.dims))
                tables = encoder.weight[expert, group].split(encoder.dims)
                total = total + tables[feature][category]
            rows.append(total)
    if not rows:
        return encoder.weight.new_zeros(encoder.num_experts, 0, 5)
    return torch.stack(rows).view(encoder.num_experts, -1, 5)


@pytest.mark.parametrize('num_hops', [1, 2])
@pytest.mark.parametrize('num_experts', [1, 3])
@pytest.mark.parametrize('num_edges', [0, 1, 14])
@pytest.mark.parametrize(
    ('max_codes', 'sees'), [(4096, True), (4096, False), (1, False)]
)
def test_loop(num_hops, num_experts, num_edges, max_codes, sees, monkeypatch):
    monkeypatch.setattr(edge_encoder, '_MAX_CODES', max_codes)
    monkeypatch.setattr(edge_encoder, 'sees_values', lambda tensor: sees)
    torch.manual_seed(0)
    encoder = CategoricalEdgeEncoder(num_experts, EDGE_DIMS, 5, num_hops)
    encoder = encoder.double()
    hop = make_hop(num_hops, num_edges)
    out, slow = terms(encoder, hop), slow_terms(encoder, hop)
    assert torch.allclose(out, slow, rtol=1e-12)
    tables, _ = encoder(hop)
    every = max_codes > 1 and not sees
    for table, attr in zip(tables, hop.edge_attr.chunk(num_hops, dim=1)):
        used = len(set(map(tuple, attr.tolist())))
        assert table.size(1) == (math.prod(EDGE_DIMS) if every else used)
    if num_edges > 0:
        grad, slow_grad = (
            torch.autograd.grad(value.pow(2).sum(), encoder.weight)[0]
            for value in (out, slow)
        )
        assert torch.allclose(grad, slow_grad)


@pytest.mark.parametrize('num_hops', [1, 2])
@pytest.mark.parametrize('num_edges', [0, 40])
def test_more_codes_than_an_integer_has_values(num_hops, num_edges):
    dims = (1000,) * 7
    torch.manual_seed(0)
    attr = torch.randint(1000, (num_edges, 7 * num_hops))
    attr[1::2] = attr[::2]
    attr[1::2, 0] = 999 - attr[1::2, 0]  # They differ in the first feature.
    edge_index = torch.randint(9, (2, num_edges))
    hop = Neighborhood.from_edge_index(edge_index, attr, 9)
    encoder = CategoricalEdgeEncoder(1, dims, 5, num_hops).double()
    assert torch.allclose(terms(encoder, hop), slow_terms(encoder, hop))

    if num_hops == 1:  # The single convolutions' codes are the same ones.
        conv = OGBGCNConv(4, 3, dims).double()
        x = torch.randn(9, 4).double()
        expected = conv(x, edge_index, attr)
        assert torch.allclose(conv(x, hop), expected)


def test_codes_are_made_once_per_kind():
    hop = make_hop(num_hops=1)
    encoders = [CategoricalEdgeEncoder(2, EDGE_DIMS, 5) for _ in range(2)]
    (_, first), (_, second) = (encoder(hop) for encoder in encoders)
    assert first[0] is second[0]
    # The same dims as a hop-2 edge: not the codes of the hop-1 edge.
    two = CategoricalEdgeEncoder(2, EDGE_DIMS, 5, num_hops=2)
    with pytest.raises(ValueError, match=r'shape \[\*, 6\]'):
        two(hop)


def test_init_is_glorot_by_feature():
    torch.manual_seed(0)
    encoder = CategoricalEdgeEncoder(4, EDGE_DIMS, 50, num_hops=2)
    for dim, table in zip(EDGE_DIMS, encoder.weight.split(EDGE_DIMS, dim=2)):
        bound = math.sqrt(6 / (dim + 50))
        assert bound * 0.9 < table.abs().max() <= bound
    assert encoder.weight.shape == (4, 2, 13, 50)
    assert str(encoder) == (
        'CategoricalEdgeEncoder(4, (5, 6, 2), 50, num_hops=2)'
    )


@pytest.mark.parametrize('num_hops', [1, 2])
def test_linear(num_hops):
    encoder = LinearEdgeEncoder(3, 5, num_hops).double()
    hop = make_hop(floats=3 * num_hops)
    out = terms(encoder, hop)
    assert out.shape == (1, 14, 5)
    for edge, attr in enumerate(hop.edge_attr):
        expected = encoder.linear.weight @ attr + encoder.linear.bias
        assert torch.allclose(out[0, edge], expected)
    before = encoder.linear.weight.detach().clone()
    encoder.reset_parameters()
    assert not torch.equal(encoder.linear.weight, before)


@pytest.mark.parametrize(
    ('encoder', 'attr', 'message'),
    [
        (CategoricalEdgeEncoder(2, EDGE_DIMS, 5), None, 'expect 3 .*None'),
        (
            CategoricalEdgeEncoder(2, EDGE_DIMS, 5),
            torch.zeros(1, 3),
            'torch.int64',
        ),
        (
            CategoricalEdgeEncoder(2, EDGE_DIMS, 5, 2),
            torch.tensor([[0, 0, 0, 0, 6, 0]]),
            'from 0 to 5 in column 4, got 6',
        ),
        (LinearEdgeEncoder(3, 5), None, '3 floating-point features, got None'),
        (LinearEdgeEncoder(3, 5), torch.zeros(1, 4), r'got .*\[1, 4\]'),
        (LinearEdgeEncoder(3, 5), torch.zeros(1, 3).long(), 'got torch.int64'),
        (LinearEdgeEncoder(3, 5, 2), torch.zeros(1, 3), r'\[\*, 6\]'),
    ],
)
def test_refused(encoder, attr, message):
    edge_index = torch.tensor([[0], [1]])
    hop = Neighborhood.from_edge_index(edge_index, attr, 2)
    with pytest.raises(ValueError, match=f"'bonds' must .*{message}"):
        encoder(hop, 'bonds')
