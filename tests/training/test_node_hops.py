"""The hop-2 edges of one graph, all and some."""

import pytest
import torch
from torch_geometric.data import Data

from gmoe.training import node_hops
from gmoe.training.node_hops import NodeHops, num_paths


def make_star(num_leaves=20):
    """Each leaf is a hop-2 neighbour of all others."""
    leaf = torch.arange(1, num_leaves + 1)
    ends = torch.stack([torch.zeros_like(leaf), leaf])
    ends = torch.cat([ends, ends.flip(0)], dim=1)
    return Data(x=torch.zeros(num_leaves + 1, 1), edge_index=ends)


def test_number_of_paths():
    data = make_star()
    ends = data.edge_index.t().tolist()
    expected = sum(v == w for _, v in ends for w, _ in ends)
    assert num_paths(data.edge_index, 21) == expected == 420


def test_all_pairs_once():
    data = make_star(4)
    data.edge_index = torch.cat([data.edge_index, torch.tensor([[1], [1]])], 1)
    pairs = NodeHops().make(data).t().tolist()
    expected = [[u, w] for u in range(1, 5) for w in range(1, 5) if u != w]
    assert sorted(pairs) == expected


def test_what_is_said_beforehand():
    line = NodeHops().ahead(make_star())
    assert 'at most 420 pairs; they take up to 7 KB, and up to 13 KB' in line
    line = NodeHops(max_pairs=50).ahead(make_star())
    assert "of which 'max_hop2_pairs' keeps 50; they take up to 800 B" in line


def test_some_pairs():
    first = NodeHops(max_pairs=50).make(make_star())
    again = NodeHops(max_pairs=50).make(make_star())
    other = NodeHops(max_pairs=50, seed=1).make(make_star())
    everything = NodeHops().make(make_star()).t().tolist()
    pairs = first.t().tolist()
    assert len(pairs) == 50
    assert len(set(map(tuple, pairs))) == 50
    assert all(pair in everything for pair in pairs)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_training_alone_looks_at_fewer():
    hops = NodeHops(max_neighbors=3)
    ends = hops.make(make_star())
    assert ends.size(1) == 380
    assert hops.for_training(ends, 21).size(1) == 60
    assert NodeHops().for_training(ends, 21) is ends
    first, other = (hops.for_training(ends, 21, seed) for seed in (0, 1))
    assert torch.equal(first, hops.for_training(ends, 21))
    assert not torch.equal(first, other)


def test_pairs_of_many_paths(monkeypatch):
    """They are looked at in turn, and are those of the graph."""
    monkeypatch.setattr(node_hops, 'FEW_PATHS', 100)
    every = NodeHops().make(make_star()).t().tolist()
    drawn = NodeHops(max_pairs=50).make(make_star()).t().tolist()
    assert len(set(map(tuple, drawn))) == 50
    assert all(pair in every for pair in drawn)
    made = NodeHops(max_pairs=50, mode='released').make(make_star())
    assert made.size(1) == 50


def test_pairs_that_would_not_fit(monkeypatch):
    """Both training and evaluation look at those that are drawn."""
    monkeypatch.setattr(node_hops, 'FEW_PATHS', 100)
    monkeypatch.setattr(node_hops, 'usable_memory', lambda: 20_000)
    hops, data = NodeHops(max_neighbors=3), make_star()
    line = hops.ahead(data)
    assert 'at most 420 pairs, which would not fit into half of the' in line
    assert "looks at 'max_hop2_neighbors', too, at most 63; they" in line
    assert hops.most_pairs(data) == 63
    pairs = hops.make(data)
    assert pairs.size(1) == 60
    assert torch.bincount(pairs[1], minlength=21).max() == 3
    monkeypatch.setattr(node_hops, 'usable_memory', lambda: 10**9)
    assert hops.make(data).size(1) == 380
    assert 'would not fit' not in hops.ahead(data)
    assert NodeHops(max_pairs=50).most_pairs(data) == 50


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        ({'mode': 'all'}, "'two_hop' must be one of"),
        ({'max_pairs': 0}, "'max_hop2_pairs' must be"),
        ({'max_neighbors': 1.5}, "'max_hop2_neighbors' must be"),
        ({'seed': -1}, "'hop2_seed' must be"),
        ({'seed': 2**32}, "'hop2_seed' must be"),
    ],
)
def test_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        NodeHops(**kwargs)
