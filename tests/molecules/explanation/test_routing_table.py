import numpy as np
import pytest
from scipy.stats import norm

from gmoe.molecules.explanation.routing_table import (
    RoutingTable,
    agreement,
    mean_agreement,
    remaining,
)

KEY, OTHER = ('atom type', 'O'), ('atom type', 'N')


def make(link: float, count: int = 60, collapsed: bool = False):
    """Experts that serve an atom with the property more often by `link`."""
    random = np.random.default_rng(0)
    table = RoutingTable('layer 0', 4, 1)
    for _ in range(count):
        mask, noise = random.random((2, 12)) < 0.3
        expert = random.integers(0, 4, 12)
        expert[mask & (random.random(12) < link)] = 2
        if collapsed:
            expert[:] = 3
        table.add(np.eye(4)[expert], {KEY: mask, OTHER: noise})
    return table


def test_usage_sums_to_one():
    usage = make(0).usage()
    assert sum(share.value for share in usage) == pytest.approx(1)
    assert all(share.low < share.value < share.high for share in usage)
    assert all(share.low < 0.25 < share.high for share in usage)


def test_a_link_is_found_and_no_other():
    found = {
        (e.expert, e.name): e for e in make(0.7).enrichments() if e.is_found
    }
    link = found[2, 'O']
    assert link.ratio.low > 1.5
    assert link.ratio.low < link.ratio.value < link.ratio.high
    assert {name for _, name in found} == {'O'}
    assert all(e.ratio.high < 1 for key, e in found.items() if key[0] != 2)
    assert not any(e.is_found for e in make(0).enrichments())


def test_ratio_by_hand():
    table = RoutingTable('layer 0', 2, 2)
    for _ in range(10):
        gates = np.array([[1.0, 0], [0.5, 0.5], [0, 1], [0, 1]])
        table.add(gates, {KEY: np.array([True, True, False, False])})
    first = table.enrichments()[0]
    assert first.ratio.value == pytest.approx(0.75 / 0.375)
    assert first.num_atoms == 20
    assert table.hop1().value == pytest.approx(1)


def test_few_molecules_say_nothing():
    assert make(0.7, 9).enrichments() == []


def test_idle_and_collapsed():
    table = make(0, collapsed=True)
    assert table.idle() == [0, 1, 2]
    assert table.is_collapsed()
    assert not make(0).is_collapsed()
    assert make(0).idle() == []


def benjamini_hochberg(p, rate):
    """The procedure as it is written down."""
    order = np.argsort(p)
    limit = rate * np.arange(1, len(p) + 1) / max(len(p), 1)
    below = np.flatnonzero(p[order] <= limit)
    kept = np.zeros(len(p), dtype=bool)
    if below.size:
        kept[order[: below[-1] + 1]] = True
    return kept


def test_benjamini_hochberg_by_hand():
    scores = norm.isf(np.array([0.04, 0.001, 0.9, 0.02]) / 2)
    assert remaining(scores).tolist() == [False, True, False, True]
    assert remaining(np.array([])).tolist() == []


@pytest.mark.parametrize('rate', [0.01, 0.05, 0.5])
def test_benjamini_hochberg_as_it_is_written_down(rate):
    random = np.random.default_rng(0)
    sizes = []
    for count in range(1, 200):
        scores = np.abs(random.normal(scale=2, size=count)).round(1)
        kept = remaining(scores, rate)
        expected = benjamini_hochberg(2 * norm.sf(scores), rate)
        assert (kept == expected).all()
        sizes.append(kept.mean())
    assert min(sizes) < 0.5 < max(sizes) or rate < 0.5


def test_agreement():
    random = np.random.default_rng(0)
    a, b = random.integers(0, 4, (2, 2000))
    renamed = np.array([2, 3, 1, 0])[a]
    assert agreement(a, renamed) == pytest.approx((1, 1))
    information, matched = agreement(a, b)
    assert abs(information) < 0.01
    assert 0.25 <= matched < 0.35
    mixed = mean_agreement([a, renamed, b])[0]
    assert mixed == pytest.approx(1 / 3, abs=0.02)
