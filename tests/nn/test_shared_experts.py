"""Shared experts against the slow layer, in which all weights are 1."""

import pytest
import torch
from torch_geometric.nn import GATv2Conv, SAGEConv

from gmoe.nn import (
    GCNExperts,
    GINExperts,
    GMoEConv,
    ModuleExperts,
    RelationalExperts,
)
from gmoe.nn.shared_experts import SharedExperts
from gmoe.routing import Router, UniformRouter
from gmoe.transforms import TwoHop
from tests.graphs import EDGE_DIMS, random_graph
from tests.reference import slow_layer, triples

BANKS = {'gcn': GCNExperts, 'gin': GINExperts, 'mult': RelationalExperts}


def make_conv(kind, num_shared=2, num_shared_1hop=None, **kwargs):
    torch.manual_seed(0)
    bank = BANKS[kind](4, 4, 4, 2, EDGE_DIMS)
    shared = BANKS[kind](4, 4, num_shared, num_shared_1hop, EDGE_DIMS)
    router = Router(4, 4, 2, noise=False)
    conv = GMoEConv(bank, router=router, shared_experts=shared, **kwargs)
    conv.double()
    for parameter in conv.parameters():
        parameter.data.normal_()
    for name, buffer in conv.named_buffers():
        if 'running' in name:
            buffer.uniform_(0.5, 1.5)
    return conv


def call(conv, data):
    return conv(
        data.x,
        data.edge_index,
        data.edge_attr,
        data.edge_index_2hop,
        data.edge_attr_2hop,
    )


class _Alone:
    """Shared experts as a layer of the reference."""

    dispatch, combine = 'dense', 'sum'

    def __init__(self, shared, training):
        self.experts, self.norm = shared.experts, shared.norm
        self.training = training


@pytest.mark.parametrize('kind', BANKS)
@pytest.mark.parametrize('num_shared_1hop', [0, 1, 2])
@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('combine', ['sum', 'mean'])
def test_reference(kind, num_shared_1hop, training, combine):
    conv = make_conv(kind, 2, num_shared_1hop, combine=combine)
    conv.train(training)
    data = TwoHop()(random_graph(7, 10, seed=1))
    edges = (
        triples(data.edge_index, data.edge_attr),
        triples(data.edge_index_2hop, data.edge_attr_2hop),
    )
    gates = conv.router(data.x).gates
    chosen = slow_layer(conv, data.x, gates, *edges)
    ones = torch.ones(7, 2).double()
    alone = _Alone(conv.shared, training)
    slow = chosen + slow_layer(alone, data.x, ones, *edges)
    out = call(conv, data)
    assert torch.allclose(out, slow, rtol=1e-9, atol=1e-9)
    direction = torch.randn_like(out)
    names, parameters = zip(*conv.named_parameters())
    grads, slow_grads = (
        torch.autograd.grad(
            (value * direction).sum(), parameters, allow_unused=True
        )
        for value in (out, slow)
    )
    for name, grad, slow_grad in zip(names, grads, slow_grads):
        assert slow_grad is not None or not grad.any(), name
        if slow_grad is not None:
            assert torch.allclose(grad, slow_grad, rtol=1e-7, atol=1e-8), name


def test_convolutions_of_several_kinds():
    torch.manual_seed(0)
    bank = ModuleExperts([SAGEConv(4, 6) for _ in range(3)])
    shared = ModuleExperts([GATv2Conv(4, 6), SAGEConv(4, 6)])
    conv = GMoEConv(bank, top_k=1, norm=None, shared_experts=shared).double()
    data = random_graph()
    first, second = (e(data.x, data.edge_index) for e in shared.experts)
    plain = GMoEConv(bank, router=conv.eval().router, norm=None).eval()
    out = conv(data.x, data.edge_index)
    expected = plain(data.x, data.edge_index) + first + second
    assert torch.allclose(out, expected)


def test_hop_2_of_shared_experts_alone():
    shared = GCNExperts(4, 4, 1, 0)
    conv = GMoEConv(GCNExperts(4, 4, 2), top_k=1, shared_experts=shared)
    data = random_graph(dtype=torch.float32)
    assert (conv.num_experts_1hop, conv.num_experts_2hop) == (2, 1)
    with pytest.raises(ValueError, match="'edge_index_2hop' must .* 1 of 3"):
        conv(data.x, data.edge_index)
    out = conv(data.x, data.edge_index, None, TwoHop()(data).edge_index_2hop)
    assert out.shape == (9, 4)


def test_reset_empty_graph_and_autocast():
    shared = SharedExperts(GCNExperts(4, 4, 2), 'batch_norm')
    torch.nn.init.zeros_(shared.norm.weight)
    shared.reset_parameters()
    assert (shared.norm.weight == 1).all()
    bank = GCNExperts(4, 4, 3)
    router = UniformRouter(3)
    conv = GMoEConv(bank, router=router, shared_experts=shared.experts)
    edge_index = torch.zeros(2, 0, dtype=torch.long)
    for num_nodes in (0, 1):
        out = conv(torch.zeros(num_nodes, 4), edge_index)
        assert out.shape == (num_nodes, 4)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        out = conv(torch.randn(5, 4), edge_index)
    out.float().sum().backward()
    assert all(p.grad.isfinite().all() for p in conv.shared.parameters())


def test_refused_sizes():
    with pytest.raises(ValueError, match="'shared_experts' must have .* 5"):
        GMoEConv(
            GCNExperts(4, 4, 3), top_k=1, shared_experts=GCNExperts(4, 5, 1)
        )
