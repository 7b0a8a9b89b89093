"""Pairs of nodes, and others drawn."""

import itertools

import pytest
import torch

from gmoe.datasets.links import pairs as module
from gmoe.datasets.links.pairs import (
    NonEdges,
    check_pairs,
    pair_keys,
    pairs_of,
)


def all_pairs(num_nodes):
    pairs = itertools.combinations(range(num_nodes), 2)
    return torch.tensor(list(pairs)).t()


def generator():
    return torch.Generator().manual_seed(0)


def test_keys_have_no_direction():
    pairs = all_pairs(9)
    keys = pair_keys(pairs, 9)
    assert keys.unique().numel() == 36
    assert torch.equal(pair_keys(pairs.flip(0), 9), keys)
    assert torch.equal(pairs_of(keys, 9), pairs)


@pytest.mark.parametrize('share', [0.1, 0.9])
def test_drawn_are_no_edges_and_all_alike(share):
    every = all_pairs(10)
    edges = every[:, torch.rand(45, generator=generator()) < share]
    others = NonEdges(edges.flip(0), 10)
    free = {tuple(p) for p in every.t().tolist()}
    free -= {tuple(p) for p in edges.t().tolist()}
    assert others.count == len(free)
    drawn = others.draw(200 * len(free), generator())
    count = pair_keys(drawn, 10).unique(return_counts=True)[1]
    assert {tuple(p) for p in drawn.t().tolist()} == free
    # Five standard deviations of a count of 200.
    assert (count - 200).abs().max() < 71


@pytest.mark.parametrize('few', [0, 2**22])
def test_different_ones(few, monkeypatch):
    monkeypatch.setattr(module, '_FEW', max(few, 64))
    edges = all_pairs(10)[:, ::2]
    others = NonEdges(edges, 10)
    for count in (0, 7, others.count):
        drawn = others.draw_different(count, generator())
        assert drawn.shape == (2, count)
        keys = pair_keys(drawn, 10)
        assert keys.unique().numel() == count
        assert not torch.isin(keys, pair_keys(edges, 10)).any()
    with pytest.raises(ValueError, match="'edges' must leave 23 pairs"):
        others.draw_different(23, generator())


def test_without_edges():
    drawn = NonEdges(torch.empty(2, 0, dtype=torch.long), 3)
    assert drawn.draw(50, generator()).unique(dim=1).shape == (2, 3)
    with pytest.raises(ValueError, match='got all of 3 nodes'):
        NonEdges(all_pairs(3), 3)


@pytest.mark.parametrize(
    ('pairs', 'message'),
    [
        ([[0], [4]], 'ids of nodes from 0 to 3, got 4'),
        ([[-1], [2]], 'got -1'),
        ([[2, 1], [2, 0]], r'got node 2 with itself \(1 such pair\)'),
    ],
)
def test_refused(pairs, message):
    with pytest.raises(ValueError, match=f"'edge' must hold .*{message}"):
        check_pairs('edge', torch.tensor(pairs), 4)
