"""A trained network, and what is known of it."""

from dataclasses import replace

import pytest
import torch

from gmoe.datasets.molecules.graphs import graphs_of
from gmoe.molecules.member import Member
from gmoe.ops.two_hop import MODES
from gmoe.transforms import TwoHop
from tests.molecules import tiny


def test_what_is_not_told():
    member = Member(tiny.make_predictor(), tiny.REGRESSION)
    assert member.two_hop == 'exact'
    assert member.calibration is None
    assert not member.is_ogb
    assert member.training == {}
    # Nothing is shared between networks.
    other = Member(member.predictor, member.info)
    assert member.training is not other.training
    assert replace(member, training={'a': 1}).predictor is member.predictor


@pytest.mark.parametrize('info', [tiny.BINARY, tiny.SEVERAL])
def test_a_network_for_others_is_refused(info):
    with pytest.raises(ValueError, match='its molecules for .* with [13]$'):
        Member(tiny.make_predictor(), info)


@pytest.mark.parametrize('two_hop', MODES)
def test_graphs_have_the_edges_that_are_read(two_hop):
    graph = graphs_of(['CC1CC1O'])[0][0]
    member = Member(tiny.make_predictor(), tiny.REGRESSION, two_hop)
    assert member.reads_hop_2
    found = member.with_hops(graph)
    expected = TwoHop(two_hop)(graph.clone())
    assert torch.equal(found.edge_index_2hop, expected.edge_index_2hop)
    assert 'edge_index_2hop' not in graph
    network = tiny.make_predictor(num_experts_1hop=4)
    member = Member(network, tiny.REGRESSION, two_hop)
    assert not member.reads_hop_2
    assert member.with_hops(graph) is graph
