"""The report of a routing, beside numbers worked out by hand."""

import math

import pytest
import torch

from gmoe.routing import Routing, routing_report
from gmoe.routing.report import homophily

# A star of node 0 with leaves 1 to 3, and node 4 alone with a loop.
EDGES = torch.tensor([[0, 1, 0, 2, 0, 3, 4], [1, 0, 2, 0, 3, 0, 4]])
Y = torch.tensor([0, 0, 1, -1, 1])
GATES = torch.tensor(
    [
        [0.5, 0.0, 0.5],
        [1.0, 0.0, 0.0],
        [0.2, 0.3, 0.5],
        [0.0, 0.0, 2.0],
        [0.0, 1.0, 0.0],
    ]
)


def test_homophily():
    expected = torch.tensor([0.5, 1.0, 0.0, math.nan, math.nan])
    found = homophily(EDGES, Y)
    torch.testing.assert_close(found, expected, equal_nan=True)


def test_buckets():
    rows = routing_report([Routing.dense(GATES)], EDGES, Y, 2)
    found = {(row.by, row.low): row for row in rows}
    places = [('degree', 1), ('degree', 3)]
    places += [('homophily', low) for low in (0.0, 0.4, 0.8)]
    assert list(found) == places
    leaves = found['degree', 1]  # Nodes 1, 2, 3 and 4.
    assert (leaves.layer, leaves.high, leaves.nodes) == (0, 2, 4)
    assert leaves.experts == pytest.approx((1 + 3 + 1 + 1) / 4)
    assert leaves.hop1 == pytest.approx((1 + 0.5 + 0 + 1) / 4)
    entropy = -sum(p * math.log(p) for p in (0.2, 0.3, 0.5))
    assert leaves.entropy == pytest.approx(entropy / 4, rel=1e-6)
    hub = found['degree', 3]
    assert hub[4:] == pytest.approx((1, 2, 0.5, math.log(2)))
    assert found['homophily', 0.8].nodes == 1  # The share 1 is in the last.
    assert found['homophily', 0.8].experts == 1


def test_layers_without_classes():
    routing = Routing.dense(GATES)
    rows = routing_report([routing, routing], EDGES)
    assert [row.layer for row in rows] == [0, 0, 1, 1]
    assert {row.by for row in rows} == {'degree'}
    assert {row.hop1 for row in rows} == {1.0}
    with pytest.raises(ValueError, match="'y' must hold a class for each"):
        routing_report([routing], EDGES, Y[:4])
    with pytest.raises(ValueError, match="'edge_index' must .*got 5"):
        routing_report([routing], EDGES + 1, Y)
