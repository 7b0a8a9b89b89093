"""A trained network, and what is known of it."""

from dataclasses import replace

import pytest

from gmoe.molecules.member import Member
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
