"""Experts that share their aggregation beside a loop over experts."""

import json

import pytest
import torch

from benchmarks.speed import shared_aggregation
from benchmarks.speed.shared_aggregation import (
    KINDS,
    main,
    make_layers,
    time_layers,
)
from tests.graphs import random_graph

EDGES = random_graph(20, 60).edge_index


def test_main(tmp_path, monkeypatch):
    monkeypatch.setattr(
        shared_aggregation, 'load_edges', lambda root: (EDGES, 20)
    )
    path = tmp_path / 'shared.json'
    main(num_experts=[2, 5], channels=4, rounds=2, json=path)
    record = json.loads(path.read_text())
    assert (record['num_nodes'], record['num_edges']) == (20, 60)
    made = [(row['conv'], row['num_experts']) for row in record['rows']]
    assert made == [(kind, n) for kind in KINDS for n in (2, 5)]
    for row in record['rows']:
        assert row['times_faster_than_loop'] > 0
        assert row['largest_relative_difference'] < 1e-4
    with pytest.raises(SystemExit, match="'only' must hold some of"):
        main(only='gat')


def test_layers_that_differ():
    layers = make_layers('sage', 3, 2, 4)
    layers['loop'].experts.experts[0].lin_l.weight.data.add_(1)
    with pytest.raises(RuntimeError, match='the layers differ by'):
        time_layers(layers, torch.randn(20, 4), EDGES, 1)
