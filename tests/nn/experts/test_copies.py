"""Experts as copies of a single convolution: one by one, the same outputs."""

import pytest
import torch
from torch_geometric.nn import GATConv

from gmoe.nn import (
    ExpertNorm,
    GCNExperts,
    GINExperts,
    GMoEConv,
    LinearGCNConv,
    LinearGCNExperts,
    ModuleExperts,
    OGBGCNConv,
    OGBGINConv,
    RelationalConv,
    RelationalExperts,
)
from gmoe.nn.experts.copies import copy_conv, copy_norm
from gmoe.nn.norm import NORMS
from tests.graphs import EDGE_DIMS, random_graph

KINDS = {
    'gcn': (OGBGCNConv, GCNExperts),
    'linear_gcn': (LinearGCNConv, LinearGCNExperts),
    'gin': (OGBGINConv, GINExperts),
    'relational': (RelationalConv, RelationalExperts),
}


@pytest.mark.parametrize('edge_dims', [None, 3, EDGE_DIMS])
@pytest.mark.parametrize('kind', KINDS)
def test_every_expert_is_the_convolution(kind, edge_dims):
    torch.manual_seed(0)
    if kind == 'linear_gcn' and edge_dims == 3:
        pytest.skip('no bank for floating-point features of edges')
    single, bank = KINDS[kind]
    conv = single(4, 6, edge_dims).double().eval()
    experts = bank(4, 6, 3, edge_dims=edge_dims).double()
    copy_conv(experts, conv, 0)
    data = random_graph()
    attr = data.edge_attr
    if not isinstance(edge_dims, tuple):
        attr = None if edge_dims is None else attr.double()
    expected = conv(data.x, data.edge_index, attr)
    mixture = GMoEConv(experts, top_k=1, norm=None).double().eval()
    for expert in range(3):
        # All nodes go to one expert, which differs from the others' if any
        # of its weights were left as drawn.
        gate = mixture.router.score_gate.weight
        gate.data.zero_()
        scores = torch.zeros(3).double()
        scores[expert] = 1
        data.x[:, 0] = 1
        gate.data[0] = scores
        expected = conv(data.x, data.edge_index, attr)
        out = mixture(data.x, data.edge_index, attr)
        torch.testing.assert_close(out, expected, rtol=1e-12, atol=1e-12)


def test_modules_and_their_buffers():
    torch.manual_seed(0)
    conv = GATConv(4, 6)
    bank = ModuleExperts([GATConv(4, 6) for _ in range(2)])
    copy_conv(bank, conv, 0)
    for expert in bank.experts:
        for name, value in conv.state_dict().items():
            assert torch.equal(expert.state_dict()[name], value)
    copy_conv(bank, conv, 0.5)
    first, second = (expert.lin.weight for expert in bank.experts)
    assert not torch.equal(first, second)


def test_shared_encoder_has_no_noise():
    conv = RelationalConv(4, 6, EDGE_DIMS, 'gate')
    bank = RelationalExperts(4, 6, 3, None, EDGE_DIMS, 'gate')
    copy_conv(bank, conv, 0.5)
    encoder = bank.edge_encoders.encoders['1hop']
    assert torch.equal(encoder.weight.view(13, -1), conv.edge_encoder.weight)
    assert not torch.equal(bank.weight[0], bank.weight[1])


@pytest.mark.parametrize('kind', NORMS)
def test_norms(kind):
    norm, norms = NORMS[kind](5).double(), ExpertNorm(3, 5, kind).double()
    for value in [*norm.parameters(), *norm.buffers()]:
        if value.is_floating_point():
            value.data.uniform_(0.2, 2)
    copy_norm(norms, norm)
    x, ptr = torch.randn(6, 5).double(), torch.tensor([0, 1, 4, 6])
    torch.testing.assert_close(norms.eval()(x, ptr), norm.eval()(x))
