"""Pairs in turn, beside all at once, and means over drawn ones."""

from functools import partial

import pytest
import torch
from torch_geometric.utils import scatter, to_undirected

from gmoe.ops.two_hop import two_hop_edges
from gmoe.training import hop2_pairs
from gmoe.training.hop2_pairs import (
    pairs_by_target,
    some_of_all,
    some_of_each,
    some_pairs,
)
from tests.graphs import random_graph

NUM_NODES = 24


def uneven_graph():
    """Nodes 1 to 9 have paths to node 0 by twelve others, 10 and 11 by one."""
    hubs = torch.arange(12, NUM_NODES)
    near = torch.cartesian_prod(torch.arange(10), hubs).t()
    far = torch.tensor([[10, 11], [12, 12]])
    return to_undirected(torch.cat([near, far], dim=1))


def pairs_of(edge_index):
    return set(map(tuple, edge_index.t().tolist()))


@pytest.mark.parametrize('chunk', [1, 40, 10**6])
@pytest.mark.parametrize('seed', range(3))
def test_pairs_are_those_made_at_once(chunk, seed):
    """Of directed graphs with loops, multi-edges and isolated nodes."""
    edges = random_graph(30, 70, seed=seed).edge_index
    parts = list(pairs_by_target(edges, 30, chunk))
    made = torch.cat(parts, dim=1)
    expected = two_hop_edges(edges, num_nodes=30, coalesce=True)[0]
    assert made.size(1) == expected.size(1)
    assert pairs_of(made) == pairs_of(expected)
    targets = [set(part[1].tolist()) for part in parts]
    assert sum(map(len, targets)) == len(set().union(*targets))
    assert (len(parts) == 1) == (chunk == 10**6)


def test_graph_without_edges():
    edges = torch.empty(2, 0, dtype=torch.long)
    (pairs,) = pairs_by_target(edges, 5)
    assert pairs.shape == some_of_all(edges, 5, 2, 0).shape == (2, 0)


def means(draw, values, num_seeds=150):
    """The mean over drawn neighbours of each node, averaged over the seeds
    that give it some, and the error of that average."""
    sums = []
    for seed in range(num_seeds):
        source, target = draw(seed)
        mean = scatter(values[source], target, 0, NUM_NODES, 'mean')
        count = torch.bincount(target, minlength=NUM_NODES)
        sums.append(torch.where(count > 0, mean, torch.nan))
    all_sums = torch.stack(sums)
    known = (~all_sums.isnan()).sum(0)
    mean = all_sums.nanmean(0)
    deviation = (all_sums - mean).square().nanmean(0).sqrt()
    return mean, deviation / known.sqrt()


@pytest.mark.parametrize('kind', ['neighbors', 'neighbors in turn', 'pairs'])
def test_mean_over_drawn_neighbours_is_the_mean_over_all(kind, monkeypatch):
    """On average over seeds, and however many paths lead to a neighbour."""
    in_turn = partial(pairs_by_target, chunk=200)
    monkeypatch.setattr(hop2_pairs, 'pairs_by_target', in_turn)
    edges = uneven_graph()
    every = two_hop_edges(edges, num_nodes=NUM_NODES, coalesce=True)[0]
    values = torch.linspace(0, 1, NUM_NODES, dtype=torch.float64).square()
    draws = {
        'neighbors': lambda seed: some_of_each(every, NUM_NODES, 3, seed),
        'neighbors in turn': lambda seed: some_of_all(
            edges, NUM_NODES, 3, seed
        ),
        'pairs': lambda seed: some_pairs(
            edges, NUM_NODES, every.size(1) // 5, seed
        ),
    }
    mean, error = means(draws[kind], values)
    expected = scatter(values[every[0]], every[1], 0, NUM_NODES, 'mean')
    has_some = torch.bincount(every[1], minlength=NUM_NODES) > 0
    assert has_some[:12].all()
    off = (mean - expected).abs()[has_some]
    assert (off <= 4.5 * error[has_some] + 1e-12).all()


def test_some_pairs(monkeypatch):
    # In many small steps, of which most are left out.
    in_turn = partial(pairs_by_target, chunk=20)
    monkeypatch.setattr(hop2_pairs, 'pairs_by_target', in_turn)
    edges = uneven_graph()
    every = two_hop_edges(edges, num_nodes=NUM_NODES, coalesce=True)[0]
    first = some_pairs(edges, NUM_NODES, 20, seed=0)
    assert first.size(1) == len(pairs_of(first)) == 20
    assert pairs_of(first) < pairs_of(every)
    assert torch.equal(first, some_pairs(edges, NUM_NODES, 20, seed=0))
    assert pairs_of(first) != pairs_of(some_pairs(edges, NUM_NODES, 20, 1))
    assert pairs_of(some_pairs(edges, NUM_NODES, 9999, 0)) == pairs_of(every)


def test_some_of_each_node():
    ends = torch.stack([torch.arange(40) % 20, torch.arange(40) // 20])
    ends = torch.cat([ends, torch.tensor([[3], [2]])], dim=1)
    out = some_of_each(ends, 4, 5, seed=0)
    assert torch.bincount(out[1], minlength=4).tolist() == [5, 5, 1, 0]
    assert pairs_of(out) <= pairs_of(ends)
    assert torch.equal(out, some_of_each(ends, 4, 5, seed=0))
    assert not torch.equal(out, some_of_each(ends, 4, 5, seed=1))
