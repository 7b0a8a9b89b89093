import pytest
import torch

from gmoe.nn import ExpertBank, GCNExperts, Neighborhood
from gmoe.nn.encoders.edge_encoder import (
    CategoricalEdgeEncoder,
    LinearEdgeEncoder,
)
from gmoe.nn.experts.bank import EdgeEncoders


def make_hops():
    empty = torch.zeros(2, 0).long()
    return [Neighborhood.from_edge_index(empty, None, 3) for _ in range(2)]


@pytest.mark.parametrize('m', [0, 1, 2, 4])
def test_hops(m):
    given = make_hops()
    hops = list(ExpertBank(4, 4, 4, m).hops(*given))
    sizes = {1: m, 2: 4 - m}
    used = [num_hops for num_hops in (1, 2) if sizes[num_hops] > 0]
    assert [num_hops for num_hops, _, _ in hops] == used
    for num_hops, count, hop in hops:
        assert count == sizes[num_hops]
        assert hop is given[num_hops - 1]


def test_counts_and_repr():
    bank = ExpertBank(4, 6, 5, 2)
    assert bank.num_experts_2hop == 3
    assert ExpertBank(4, 6, 5).num_experts_2hop == 0
    assert str(bank) == 'ExpertBank(4, 6, num_experts=5, num_experts_1hop=2)'
    with pytest.raises(NotImplementedError):
        bank.reset_parameters()
    with pytest.raises(NotImplementedError):
        bank(None, None, None, None)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((0, 4, 3), "'in_channels' must be an integer >= 1, got 0"),
        ((4, -1, 3), "'out_channels' must be an integer >= 1, got -1"),
        ((4, 4, 1.5), "'num_experts' must be an integer >= 1, got 1.5"),
        ((4, 4, 3, 4), "'num_experts_1hop' .* to num_experts=3, got 4"),
        ((4, 4, 3, -1), "'num_experts_1hop' .* got -1"),
    ],
)
@pytest.mark.parametrize('kind', [ExpertBank, GCNExperts])
def test_refused(kind, arguments, message):
    with pytest.raises(ValueError, match=message):
        kind(*arguments)


def test_edge_encoders():
    bank = ExpertBank(4, 4, 5, 2)
    categorical = EdgeEncoders(bank, (5, 6, 2), 4).encoders
    assert list(categorical) == ['1hop', '2hop']
    for key, count, num_hops in (('1hop', 2, 1), ('2hop', 3, 2)):
        assert isinstance(categorical[key], CategoricalEdgeEncoder)
        assert categorical[key].weight.shape == (count, num_hops, 13, 4)
    linear = EdgeEncoders(bank, 3, 4).encoders
    assert isinstance(linear['2hop'], LinearEdgeEncoder)
    assert linear['2hop'].linear.in_features == 6
    assert len(EdgeEncoders(bank, None, 4).encoders) == 0
    assert list(EdgeEncoders(ExpertBank(4, 4, 2), 3, 4).encoders) == ['1hop']


def test_edge_encoders_without_features_and_reset():
    encoders = EdgeEncoders(ExpertBank(4, 4, 4, 2), None, 4)
    for num_hops, hop in enumerate(make_hops(), start=1):
        assert encoders(num_hops, hop) == ([], [])
    encoders = EdgeEncoders(ExpertBank(4, 4, 4, 2), (5, 6), 4)
    before = [p.detach().clone() for p in encoders.parameters()]
    encoders.reset_parameters()
    for old, new in zip(before, encoders.parameters()):
        assert not torch.equal(old, new)
    with pytest.raises(ValueError, match="'edge_attr_2hop' must be given"):
        encoders(2, make_hops()[1])
