from contextlib import nullcontext

import pytest
import torch
from hypothesis import given, settings

from gmoe.nn import (
    GNN,
    GCNExperts,
    GMoEConv,
    LinearGCNConv,
    Neighborhood,
    OGBGCNConv,
    OGBGINConv,
    RelationalConv,
    neighborhood,
)
from gmoe.ops import eager_ops
from tests.graphs import EDGE_DIMS, graphs, random_graph


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_edges_ordered_by_target(data):
    hop = Neighborhood.from_edge_index(
        data.edge_index, data.edge_attr, data.num_nodes
    )
    edges = [
        (int(t), position, int(s), attr.tolist())
        for position, (s, t, attr) in enumerate(
            zip(*data.edge_index, data.edge_attr)
        )
    ]
    edges.sort()
    assert hop.num_nodes == data.num_nodes
    assert hop.num_edges == len(edges)
    assert hop.target.tolist() == [t for t, _, _, _ in edges]
    assert hop.source.tolist() == [s for _, _, s, _ in edges]
    assert hop.edge_attr.tolist() == [attr for _, _, _, attr in edges]
    assert torch.equal(hop.edge_index, torch.stack([hop.source, hop.target]))
    for node in range(data.num_nodes):
        first, last = hop.ptr[node : node + 2].tolist()
        assert (hop.target[first:last] == node).all()
        assert last - first == int((data.edge_index[1] == node).sum())


@settings(max_examples=40, deadline=None)
@given(graphs())
def test_gcn_norm(data):
    hop = Neighborhood.from_edge_index(data.edge_index, None, data.num_nodes)
    weight, root = hop.gcn_norm(torch.float64)
    degree = [1] * data.num_nodes
    for source in data.edge_index[0].tolist():
        degree[source] += 1
    expected = [
        (degree[s] * degree[t]) ** -0.5
        for s, t in zip(hop.source.tolist(), hop.target.tolist())
    ]
    assert torch.allclose(weight, torch.tensor(expected).double(), rtol=1e-6)
    assert torch.allclose(root * torch.tensor(degree), torch.ones(()).double())
    assert hop.gcn_norm(torch.float64)[0] is weight
    assert hop.gcn_norm(torch.float32)[0].dtype == torch.float32


def test_memo():
    hop = Neighborhood.from_edge_index(random_graph().edge_index, None, 9)
    assert hop.memo('key', lambda: 1) == 1
    assert hop.memo('key', lambda: 2) == 1
    assert hop.memo('other', lambda: 2) == 2
    twin = Neighborhood.from_edge_index(random_graph().edge_index, None, 9)
    assert twin.memo('key', lambda: 3) == 3


def test_one_feature_and_no_edges():
    hop = Neighborhood.from_edge_index(
        torch.tensor([[0, 1], [1, 0]]), torch.tensor([1.0, 2.0]), 2
    )
    assert hop.edge_attr.tolist() == [[2.0], [1.0]]
    empty = Neighborhood.from_edge_index(torch.zeros(2, 0).long(), None, 0)
    assert empty.num_nodes == empty.num_edges == 0
    assert empty.edge_attr is None


@pytest.mark.parametrize('num_nodes', ['3', -1, 2.0, None])
def test_refused_numbers_of_nodes(num_nodes):
    message = f"'num_nodes' must be an integer >= 0, got {num_nodes!r}"
    with pytest.raises(ValueError, match=message):
        Neighborhood.from_edge_index(
            torch.tensor([[0, 1], [1, 0]]), None, num_nodes
        )


@pytest.mark.parametrize(
    ('edge_index', 'edge_attr', 'message'),
    [
        (torch.zeros(2).long(), None, r"'hops_index' .*edges\], got \[2\]"),
        (torch.zeros(3, 2).long(), None, r'got \[3, 2\]'),
        (torch.zeros(2, 2).int(), None, 'torch.int64, got torch.int32'),
        (torch.tensor([[0, 1], [3, 0]]), None, 'from 0 to 2, got 3'),
        (torch.tensor([[0, -1], [2, 0]]), None, 'from 0 to 2, got -1'),
        (torch.zeros(2, 2).long(), torch.zeros(3), r"'hops_attr'.*got \[3\]"),
        (torch.zeros(2, 2).long(), torch.zeros(2, 1, 1), "'hops_attr'"),
    ],
)
def test_refused(edge_index, edge_attr, message):
    with pytest.raises(ValueError, match=message):
        Neighborhood.from_edge_index(edge_index, edge_attr, 3, 'hops_index')


LAYERS = {
    'mixture': lambda: GMoEConv(GCNExperts(4, 4, 2, None, EDGE_DIMS), top_k=1),
    'hop 2': lambda: GMoEConv(GCNExperts(4, 4, 2, 0, EDGE_DIMS[:1]), top_k=1),
    'gcn': lambda: OGBGCNConv(4, 4, EDGE_DIMS),
    'linear_gcn': lambda: LinearGCNConv(4, 4, EDGE_DIMS),
    'gin': lambda: OGBGINConv(4, 4, EDGE_DIMS),
    'relational': lambda: RelationalConv(4, 4, EDGE_DIMS),
}


@pytest.mark.parametrize('kind', LAYERS)
def test_features_beside_a_neighborhood_are_refused(kind):
    layer, data = LAYERS[kind]().double().eval(), random_graph()
    name, attr = 'edge_attr', data.edge_attr
    if kind == 'hop 2':
        name, attr = 'edge_attr_2hop', attr[:, :1].repeat(1, 2)
    hop = Neighborhood.from_edge_index(data.edge_index, attr, 9)

    def call(x, hop, attr):
        if kind == 'hop 2':
            return layer(x, None, None, hop, attr)
        return layer(x, hop, attr)

    # Those that it holds change nothing.
    expected = call(data.x, hop, None)
    assert torch.equal(call(data.x, hop, hop.edge_attr), expected)
    bare = Neighborhood.from_edge_index(data.edge_index, None, 9)
    for context in (nullcontext, eager_ops):
        for edges in (hop, bare):
            with (
                context(),
                pytest.raises(ValueError, match=f"'{name}' must be None besi"),
            ):
                call(data.x, edges, attr)
    with pytest.raises(ValueError, match='Neighborhood of 8 nodes.*one of 9'):
        call(data.x[:8], hop, None)


def test_a_network_takes_tensors():
    data = random_graph()
    hop = Neighborhood.from_edge_index(data.edge_index, None, 9)
    net = GNN(node_dims=4, edge_dims=None, hidden_channels=4).double()
    with pytest.raises(
        ValueError, match="'edge_index' must be a tensor.*Neig"
    ):
        net(data.x, hop)


WRONG_GROUPS = {
    'ptr': [[0, 5, 2, 2], [0, 1, 1, 3], [1, 1, 2, 2], [0, 0, -1, 2], []],
    'source': [[0, 3], [-1, 0], [0]],
    'target': [[0, 0], [1, 0], [0]],
}


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        (name, value)
        for name, values in WRONG_GROUPS.items()
        for value in values
    ],
)
def test_groups_that_are_none_are_refused(name, value):
    # Edges 0 -> 0 and 1 -> 1 of three nodes.
    right = {'ptr': [0, 1, 2, 2], 'source': [0, 1], 'target': [0, 1]}
    tensors = {
        key: torch.tensor(item, dtype=torch.long)
        for key, item in {**right, name: value}.items()
    }
    with pytest.raises(ValueError, match=r"'(ptr|source|target)' must"):
        Neighborhood(**tensors)


def test_groups_are_looked_at_once(monkeypatch):
    seen = []
    check = neighborhood._check_grouped
    monkeypatch.setattr(
        neighborhood, '_check_grouped', lambda hop: seen.append(check(hop))
    )
    edge_index = torch.tensor([[0, 1], [1, 0]])
    sorted_here = Neighborhood.from_edge_index(edge_index, None, 3)
    assert not seen
    made = Neighborhood(
        sorted_here.ptr, sorted_here.source, sorted_here.target
    )
    conv = GMoEConv(GCNExperts(4, 6, 3), top_k=2).eval()
    x = torch.randn(3, 4)
    first = conv(x, made)
    assert torch.equal(first, conv(x, made))
    assert torch.equal(first, conv(x, edge_index))
    assert len(seen) == 1
    for wrong in ('edge_attr', 'order'):
        with pytest.raises(ValueError, match=f"'{wrong}' must have a row for"):
            Neighborhood(
                made.ptr, made.source, made.target, **{wrong: x[:, 0]}
            )
    with pytest.raises(ValueError, match="'ptr' must have the type"):
        Neighborhood(made.ptr.int(), made.source, made.target)
