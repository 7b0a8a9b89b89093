"""Parts of graphs whose clusters are known, and of graphs that have none."""

import numpy as np
import pytest
import torch
from torch_geometric.utils import to_undirected

from gmoe.datasets.nodes.partition import partition_nodes, share_between


def clusters(num_clusters: int, size: int):
    """Cliques, each of which has one edge to the next."""
    pairs = torch.combinations(torch.arange(size)).t()
    ends = [pairs + i * size for i in range(num_clusters)]
    first = torch.arange(num_clusters) * size
    ends.append(torch.stack([first, first.roll(1)]))
    return to_undirected(torch.cat(ends, dim=1)), num_clusters * size


def ring(size: int):
    node = torch.arange(size)
    return to_undirected(torch.stack([node, node.roll(1)])), size


def nothing(size: int):
    return torch.empty(2, 0, dtype=torch.long), size


@pytest.mark.parametrize(
    'graph', [clusters(12, 10), ring(500), nothing(97), clusters(1, 40)]
)
@pytest.mark.parametrize('num_parts', [1, 4, 30])
def test_parts_are_of_about_the_same_size(graph, num_parts):
    part = partition_nodes(*graph, num_parts, seed=3)
    size = torch.bincount(part, minlength=num_parts)
    assert size.sum() == graph[1]
    assert 0 < size.min() <= size.max()
    assert size.max() <= np.ceil(1.1 * graph[1] / num_parts)
    assert torch.equal(part, partition_nodes(*graph, num_parts, seed=3))


def test_clusters_stay_together():
    edges, num_nodes = clusters(12, 10)
    shares = [
        share_between(edges, partition_nodes(edges, num_nodes, 4, seed))
        for seed in range(5)
    ]
    chance = share_between(edges, torch.arange(num_nodes) % 4)
    assert np.mean(shares) < 0.35 * chance
    assert share_between(*clusters(12, 10)[:1], torch.arange(120) // 30) < 0.01


def test_ring_has_few_cuts():
    edges, num_nodes = ring(500)
    part = partition_nodes(edges, num_nodes, 5)
    assert share_between(edges, part) < 0.05


def test_more_parts_than_one_node_each():
    edges, num_nodes = ring(7)
    part = partition_nodes(edges, num_nodes, 7)
    assert part.sort()[0].tolist() == list(range(7))
    assert share_between(*nothing(3)[:1], torch.arange(3)) == 0


@pytest.mark.parametrize('num_parts', [0, 8, 2.0, True])
def test_refused(num_parts):
    with pytest.raises(ValueError, match="'num_parts' must be an integer"):
        partition_nodes(*ring(7), num_parts)
