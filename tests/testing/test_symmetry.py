"""The checks find a fault of each kind, and nothing in a good layer."""

import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.nn import SAGEConv, global_mean_pool

from gmoe.testing import (
    assert_batch_equals_singles,
    assert_edge_order_invariant,
    assert_permutation_equivariant,
)
from gmoe.transforms import TwoHop
from tests.graphs import random_graph


@pytest.fixture
def data() -> Data:
    # As many edges as nodes, so that sizes do not tell them apart.
    return TwoHop()(random_graph(12, 12))


def call(data: Data) -> torch.Tensor:
    torch.manual_seed(0)
    conv = SAGEConv(4, 3).double()
    hop_2 = data.edge_attr_2hop.double().sum(1)
    hop_2 = (
        torch.zeros(len(data.x))
        .double()
        .index_add(0, data.edge_index_2hop[1], hop_2)
    )
    return conv(data.x, data.edge_index) + hop_2.unsqueeze(1)


def pool(data: Data) -> torch.Tensor:
    return global_mean_pool(call(data), data.batch)


def test_good_layers(data: Data):
    assert_permutation_equivariant(call, data)
    assert_permutation_equivariant(pool, data, of_nodes=False)
    assert_edge_order_invariant(call, data)
    others = [TwoHop()(random_graph(n, n - 1, seed=n)) for n in (1, 5)]
    assert_batch_equals_singles(pool, [data, *others])
    assert_batch_equals_singles(call, [data, *others])


@pytest.mark.parametrize(
    'bad',
    [
        lambda data: call(data) + torch.arange(12).unsqueeze(1),
        lambda data: call(data) * data.edge_index[0, 0],
        lambda data: call(data) + data.x[0, 0],
    ],
)
def test_order_of_nodes(data: Data, bad):
    with pytest.raises(AssertionError, match='order of nodes changes the out'):
        assert_permutation_equivariant(bad, data)


@pytest.mark.parametrize('name', ['edge_index', 'edge_attr'])
@pytest.mark.parametrize('hop', ['', '_2hop'])
def test_order_of_edges(data: Data, name: str, hop: str):
    assert_edge_order_invariant(lambda d: d[name + hop].sum(-1).sum(), data)
    with pytest.raises(AssertionError, match='order of edges changes the out'):
        assert_edge_order_invariant(lambda d: d[name + hop] * 1.0, data)


def test_features_stay_with_their_edges(data: Data):
    for hop in ('', '_2hop'):

        def edges(d: Data, hop: str = hop) -> torch.Tensor:
            rows = [d['edge_index' + hop].t(), d['edge_attr' + hop]]
            return torch.tensor(sorted(torch.cat(rows, 1).tolist()))

        assert_edge_order_invariant(edges, data)


def test_batches(data: Data):
    others = [data, TwoHop()(random_graph(7, 9))]
    with pytest.raises(AssertionError, match='graphs in a batch changes'):
        assert_batch_equals_singles(lambda d: call(d) - call(d).mean(), others)
    batch = Batch.from_data_list([data, data])
    for check in (assert_permutation_equivariant, assert_edge_order_invariant):
        with pytest.raises(ValueError, match="'data' must be one graph, got"):
            check(call, batch)
