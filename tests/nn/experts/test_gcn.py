"""The bank's parameters; its outputs are tested in test_gmoe_conv.py."""

import pytest
import torch

from gmoe.nn import GCNExperts, Neighborhood, OGBGCNConv
from gmoe.routing import Router
from tests.graphs import EDGE_DIMS, random_graph


@pytest.mark.parametrize('m', [0, 1, 3])
def test_parameter_shapes(m):
    bank = GCNExperts(4, 6, 3, m, EDGE_DIMS)
    shapes = {k: tuple(v.shape) for k, v in bank.state_dict().items()}
    expected = {'weight': (3, 4, 6), 'bias': (3, 6), 'root': (3, 6)}
    for hop, count in ((1, m), (2, 3 - m)):
        if count > 0:
            key = f'edge_encoders.encoders.{hop}hop.weight'
            expected[key] = (count, hop, sum(EDGE_DIMS), 6)
    assert shapes == expected
    # As many as in the same number of plain convolutions.
    if m == 3:
        plain = sum(
            p.numel() for p in OGBGCNConv(4, 6, EDGE_DIMS).parameters()
        )
        assert sum(p.numel() for p in bank.parameters()) == 3 * plain


def test_initial_values_are_those_of_linear():
    torch.manual_seed(0)
    bank = GCNExperts(100, 50, 4)
    for values in (bank.weight, bank.bias):
        # torch.nn.Linear: uniform up to 1 / sqrt(in_channels).
        for expert in values:
            assert 0.9 * 0.1 < expert.abs().max() <= 0.1
        assert values.mean().abs() < 0.02
    assert 0.8 < bank.root.std() < 1.2
    assert not torch.equal(bank.weight[0], bank.weight[1])


def test_reset_parameters():
    bank = GCNExperts(4, 6, 3, 1, EDGE_DIMS)
    for parameter in bank.parameters():
        parameter.data.fill_(100)
    bank.reset_parameters()
    for parameter in bank.parameters():
        assert (parameter.abs() < 10).all()


def test_rows_follow_the_slots():
    bank = GCNExperts(4, 6, 3, edge_dims=EDGE_DIMS).double()
    data = random_graph()
    hop = Neighborhood.from_edge_index(data.edge_index, data.edge_attr, 9)
    router = Router(4, 3, 2).double().eval()
    router.score_gate.weight.data.normal_()
    routing = router(data.x)
    sparse, dense = routing.by_expert, routing.to_dense().by_expert
    out = bank(data.x, sparse, hop, None)
    full = bank(data.x, dense, hop, None).view(3, 9, 6)
    assert torch.allclose(out, full[sparse.expert, sparse.node])
    assert str(bank) == 'GCNExperts(4, 6, num_experts=3, num_experts_1hop=3)'
