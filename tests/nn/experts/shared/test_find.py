"""Who shares, what it costs, and that it is found."""

import copy
from unittest import mock

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torch_geometric.nn import (
    GCN,
    GIN,
    GATConv,
    GCNConv,
    GINConv,
    GraphConv,
    GraphSAGE,
    SAGEConv,
    SGConv,
)

from gmoe import ops
from gmoe.nn import GMoEConv, ModuleExperts, to_gmoe
from gmoe.nn.experts import SHARED_CONVS
from gmoe.nn.experts.shared import find_shared
from tests.nn.experts.shared.like_loop import counted, make_graph, make_pair

KINDS = {
    GCNConv: lambda: GCNConv(4, 5),
    GINConv: lambda: GINConv(nn.Linear(4, 5)),
    GraphConv: lambda: GraphConv(4, 5),
    SAGEConv: lambda: SAGEConv(4, 5),
    SGConv: lambda: SGConv(4, 5, K=3),
}


class OwnGCN(GCNConv):
    """May do anything."""


def test_all_classes_are_tested():
    assert set(KINDS) == set(SHARED_CONVS)


@pytest.mark.parametrize(
    'modules',
    [
        lambda: [GATConv(4, 5), GATConv(4, 5)],
        lambda: [GCNConv(4, 5), SGConv(4, 5)],
        lambda: [GCNConv(4, 5), OwnGCN(4, 5)],
        lambda: [OwnGCN(4, 5)],
        lambda: [GCNConv(4, 5), GCNConv(4, 5, improved=True)],
        lambda: [GCNConv(4, 5), GCNConv(4, 5, add_self_loops=False)],
        lambda: [GCNConv(4, 5), GCNConv(4, 5, normalize=False)],
        lambda: [GCNConv(4, 5), GCNConv(4, 5, bias=False)],
        lambda: [GCNConv(4, 5), GCNConv(4, 5).double()],
        lambda: [GCNConv(4, 5), GCNConv(4, 5, flow='target_to_source')],
        lambda: [GCNConv(4, 5, cached=True)],
        lambda: [GCNConv(4, 5, aggr='mean')],
        lambda: [GCNConv(4, 5, node_dim=0)],
        lambda: [SGConv(4, 5, K=1), SGConv(4, 5, K=2)],
        lambda: [SGConv(4, 5, cached=True)],
        lambda: [SAGEConv(4, 5), SAGEConv(4, 5, aggr='sum')],
        lambda: [SAGEConv(4, 5), SAGEConv(4, 5, root_weight=False)],
        lambda: [SAGEConv(4, 5), SAGEConv(4, 5, normalize=True)],
        lambda: [SAGEConv(4, 5, project=True)],
        lambda: [SAGEConv(4, 5, aggr='max')],
        lambda: [SAGEConv(4, 5, aggr=['mean', 'max'])],
        lambda: [GraphConv(4, 5, aggr='max')],
        lambda: [GINConv(torch.sin)],
        lambda: [GINConv(nn.Linear(4, 5), decomposed_layers=2)],
    ],
)
def test_who_does_not_share(modules):
    modules = modules()
    assert find_shared(modules) is None
    message = (
        "'share_aggregation' must be None or False unless .* GCNConv, "
        'GINConv, GraphConv, SAGEConv, SGConv .*, got True for .*'
        f'{type(modules[-1]).__name__}'
    )
    with pytest.raises(ValueError, match=message):
        ModuleExperts(modules, None, None, 4, 5, share_aggregation=True)


@pytest.mark.parametrize('kind', SHARED_CONVS)
def test_settings(kind):
    modules = [KINDS[kind]() for _ in range(3)]
    data = make_graph()
    message = (
        "'share_aggregation' must be one of .None, True, False., got 'yes'"
    )
    with pytest.raises(ValueError, match=message):
        ModuleExperts(modules, share_aggregation='yes')
    with pytest.raises(
        ValueError, match="'share_aggregation' must be .* 'local' is Non"
    ):
        ModuleExperts(modules, local=True, share_aggregation=True)
    for settings in ({}, {'share_aggregation': False}, {'local': True}):
        conv = GMoEConv(ModuleExperts(modules, **settings), 2).double()
        with counted() as count:
            conv(data.x, data.edge_index)
        assert count() == (settings == {})


@pytest.mark.parametrize('m', [1, 3])
@pytest.mark.parametrize('kind', SHARED_CONVS)
def test_one_aggregation_per_hop_and_the_routed_rows(kind, m):
    data = make_graph(40, 90)
    costs = []
    for n in (3, 12):
        modules = [KINDS[kind]() for _ in range(n)]
        conv, _ = make_pair(modules, n if m == 3 else 1, norm=None)
        slots = conv.router(data.x).by_expert
        with (
            mock.patch.object(
                ops, 'neighbor_sum', side_effect=ops.neighbor_sum
            ) as sums,
            mock.patch.object(kind, 'propagate') as propagate,
            ops.eager_ops(),
            FlopCounterMode(display=False) as counter,
        ):
            conv(data.x, data.edge_index, None, data.edge_index_2hop)
        assert propagate.call_count == 0
        assert slots.node.numel() == 80
        gate = 2 * 2 * 40 * 4 * n  # Scores and noise.
        costs.append((sums.call_count, counter.get_total_flops() - gate))
    assert costs[0] == costs[1]
    hops = 1 if m == 3 else 2
    linear_maps = 2 if kind in (GraphConv, SAGEConv) else 1
    repeats = 3 if kind is SGConv else 1
    assert costs[0] == (hops * repeats, linear_maps * 2 * 80 * 4 * 5)


@pytest.mark.parametrize('model', [GCN, GraphSAGE, GIN])
def test_to_gmoe_finds_it(model):
    torch.manual_seed(0)
    original = model(4, 8, 3, out_channels=2, norm='layer_norm')
    mixture = to_gmoe(original.double(), 4, top_k=2).eval()
    loop = copy.deepcopy(mixture)
    for module in loop.modules():
        if isinstance(module, ModuleExperts):
            module.share_aggregation = False
    # Files of weights are the same.
    loop.load_state_dict(mixture.state_dict())
    data = make_graph()
    outs = []
    for network in (mixture, loop):
        with counted() as count:
            outs.append(network(data.x, data.edge_index))
        assert count() == (3 if network is mixture else 0)
    torch.testing.assert_close(*outs, rtol=1e-10, atol=1e-10)


def test_weights_of_another_type_are_left_to_the_convolutions():
    conv, loop = make_pair([GraphConv(4, 5) for _ in range(3)])
    data = make_graph()
    weight = torch.randint(1, 4, (data.num_edges, 1))
    outs = [
        layer.eval()(data.x, data.edge_index, weight) for layer in (conv, loop)
    ]
    torch.testing.assert_close(*outs, rtol=1e-10, atol=1e-10)
    with counted() as count:
        conv(data.x, data.edge_index, weight)
    assert count() == 0


def test_sizes_that_are_told():
    experts = [GCNConv(-1, 5) for _ in range(3)]
    bank = ModuleExperts(experts, in_channels=4, out_channels=6)
    conv = GMoEConv(bank, 3, norm=None)
    data = make_graph()
    for _ in range(2):  # First by themselves, then together.
        message = "'out_channels' must be the size .* 5 for GCNConv, got 6"
        with pytest.raises(ValueError, match=message):
            conv(data.x.float(), data.edge_index)
        for expert in experts:
            expert(data.x.float(), data.edge_index)
