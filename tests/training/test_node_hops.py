"""The hop-2 edges of one graph, all and some."""

import pytest
import torch
from torch_geometric.data import Data

from gmoe.training.node_hops import NodeHops, num_paths, some_of_each


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
    made = NodeHops().make(data)
    pairs = made.edge_index_2hop.t().tolist()
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
    everything = NodeHops().make(make_star()).edge_index_2hop.t().tolist()
    pairs = first.edge_index_2hop.t().tolist()
    assert len(pairs) == 50
    assert len(set(map(tuple, pairs))) == 50
    assert all(pair in everything for pair in pairs)
    assert torch.equal(first.edge_index_2hop, again.edge_index_2hop)
    assert not torch.equal(first.edge_index_2hop, other.edge_index_2hop)


def test_some_of_each_node():
    ends = NodeHops().make(make_star()).edge_index_2hop
    ends = ends[:, (ends[1] > 2) | (ends[0] == 7)]  # Two have one only.
    out = some_of_each(ends, 21, 5, seed=0)
    count = torch.bincount(out[1], minlength=21).tolist()
    assert count == [0, 1, 1] + [5] * 18
    assert set(map(tuple, out.t().tolist())) <= set(
        map(tuple, ends.t().tolist())
    )
    assert torch.equal(out, some_of_each(ends, 21, 5, seed=0))
    assert not torch.equal(out, some_of_each(ends, 21, 5, seed=1))
    # Each is as likely as any other.
    drawn = torch.zeros(21)
    for seed in range(200):
        source = some_of_each(ends[:, ends[1] == 9], 21, 5, seed)[0]
        drawn += torch.bincount(source, minlength=21)
    shares = drawn[[i for i in range(1, 21) if i != 9]] / 200
    assert ((shares - 5 / 19).abs() < 0.12).all()


def test_training_alone_looks_at_fewer():
    hops = NodeHops(max_neighbors=3)
    ends = hops.make(make_star()).edge_index_2hop
    assert ends.size(1) == 380
    assert hops.for_training(ends, 21).size(1) == 60
    assert NodeHops().for_training(ends, 21) is ends


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        ({'mode': 'all'}, "'two_hop' must be one of"),
        ({'max_pairs': 0}, "'max_hop2_pairs' must be"),
        ({'max_neighbors': 1.5}, "'max_hop2_neighbors' must be"),
        ({'seed': -1}, "'seed' must be"),
    ],
)
def test_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        NodeHops(**kwargs)
