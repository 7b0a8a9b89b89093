"""GCN and SG: one normalised sum of the input for all experts."""

import pytest
import torch
from torch_geometric.nn import GCNConv, SGConv

from gmoe.nn import GMoEConv, ModuleExperts, Neighborhood
from gmoe.ops import eager_ops
from gmoe.routing import Router
from tests.nn.experts.shared.like_loop import (
    assert_like_the_loop,
    make_graph,
    make_pair,
)

KINDS = {
    'gcn': lambda: GCNConv(4, 5),
    'gcn_improved': lambda: GCNConv(4, 5, improved=True),
    'gcn_no_loops': lambda: GCNConv(4, 5, add_self_loops=False, bias=False),
    'gcn_plain': lambda: GCNConv(4, 5, normalize=False),
    'gcn_reverse': lambda: GCNConv(4, 5, flow='target_to_source'),
    'sg': lambda: SGConv(4, 5),
    'sg_3': lambda: SGConv(4, 5, K=3, bias=False),
    'sg_no_loops': lambda: SGConv(4, 5, 2, add_self_loops=False),
    'sg_reverse': lambda: SGConv(4, 5, 2, flow='target_to_source'),
}


@pytest.mark.parametrize('weighted', [True, False])
@pytest.mark.parametrize('kind', KINDS)
def test_each_setting(kind, weighted):
    modules = [KINDS[kind]() for _ in range(4)]
    assert_like_the_loop(*make_pair(modules, 2), make_graph(), weighted)


@pytest.mark.parametrize('m', [0, 1, 3])
@pytest.mark.parametrize('top_k', [1, 2, 3])
@pytest.mark.parametrize('dispatch', ['sparse', 'dense'])
def test_hops_and_routes(m, top_k, dispatch):
    modules = [GCNConv(4, 5) for _ in range(3)]
    pair = make_pair(modules, m, top_k, dispatch=dispatch)
    assert_like_the_loop(*pair, make_graph(seed=m))
    for layer in pair:
        layer.eval()
    assert_like_the_loop(*pair, make_graph(seed=m), weighted=True)


@pytest.mark.parametrize(
    'settings',
    [
        {'normalize': 'sparsemax', 'top_k': None},
        {'normalize': 'entmax15', 'top_k': 3},
        {'topk_first': False, 'top_k': 2},
        {'top_k': 4},
    ],
)
def test_routers(settings):
    router = Router(4, 4, noise=False, **settings)
    modules = [GCNConv(4, 5) for _ in range(4)]
    pair = make_pair(modules, 2, None, router=router)
    assert_like_the_loop(*pair, make_graph())


@pytest.mark.parametrize('size', [(1, 0), (5, 0), (2, 1), (3, 9)])
def test_small_graphs_and_experts_without_nodes(size):
    modules = [GCNConv(4, 5) for _ in range(9)]
    pair = make_pair(modules, 5, 1, norm=None)
    assert_like_the_loop(*pair, make_graph(*size), weighted=True)


def test_no_nodes():
    conv, _ = make_pair([GCNConv(4, 5) for _ in range(3)], 2)
    data = make_graph(0, 0)
    out = conv(data.x, data.edge_index, edge_index_2hop=data.edge_index_2hop)
    assert out.shape == (0, 5)
    out.sum().backward()


def test_weights_by_name_in_the_order_of_the_edges():
    conv, loop = make_pair([GCNConv(4, 5) for _ in range(3)])
    data = make_graph()
    weight = data.edge_attr.view(-1)
    outs = [
        layer.eval()(data.x, data.edge_index, edge_weight=weight)
        for layer in (conv, loop)
    ]
    torch.testing.assert_close(*outs, rtol=1e-10, atol=1e-10)
    expected = conv(data.x, data.edge_index, data.edge_attr)
    torch.testing.assert_close(outs[0], expected, rtol=1e-10, atol=1e-10)
    message = "'edge_weight' must have a row for each of the"
    with pytest.raises(ValueError, match=message):
        conv(data.x, data.edge_index, edge_weight=weight[1:])
    message = "'edge_attr' must have one feature, .*GCNConv, got 2"
    with pytest.raises(ValueError, match=message):
        conv(data.x, data.edge_index, data.edge_attr.repeat(1, 2))


def test_edges_of_several_layers_are_normalised_once():
    convs = [make_pair([GCNConv(4, 4) for _ in range(3)])[0] for _ in '12']
    data = make_graph()
    hop = Neighborhood.from_edge_index(data.edge_index, None, 14)
    convs[0](data.x, hop)
    before = set(hop._memo)
    convs[1](data.x, hop)
    assert set(hop._memo) == before


def test_without_fused_ops():
    conv, _ = make_pair([GCNConv(4, 5) for _ in range(4)], norm=None)
    data = make_graph()
    out = conv.eval()(data.x, data.edge_index)
    with eager_ops():
        again = conv(data.x, data.edge_index)
    torch.testing.assert_close(out, again, rtol=1e-10, atol=1e-10)


def test_compiled():
    torch.compiler.reset()
    conv, _ = make_pair([GCNConv(4, 5) for _ in range(3)], norm=None)
    data = make_graph()
    outs = []
    for function in (
        conv.experts,
        torch.compile(conv.experts, backend='eager'),
    ):
        hop = Neighborhood.from_edge_index(data.edge_index, None, 14)
        slots = conv.eval().router(data.x).by_expert
        out = function(data.x, slots, hop, None)
        grads = torch.autograd.grad(
            out.square().sum(), conv.experts.parameters()
        )
        outs.append([out, *grads])
    for new, old in zip(*outs):
        torch.testing.assert_close(new, old, rtol=1e-9, atol=1e-9)
    torch.compiler.reset()


def test_float32_and_autocast():
    torch.manual_seed(0)
    bank = ModuleExperts(
        [GCNConv(4, 5) for _ in range(3)], share_aggregation=True
    )
    conv = GMoEConv(bank, top_k=2, norm=None).eval()
    data = make_graph()
    out = conv(data.x.float(), data.edge_index)
    with torch.autocast('cpu', torch.bfloat16):
        low = conv(data.x.float(), data.edge_index)
    assert out.dtype == torch.float32
    assert torch.allclose(low.float(), out, atol=0.05)
