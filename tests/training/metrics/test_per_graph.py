"""Graphs that several processes saw count once."""

import pytest
import torch

from gmoe.training.metrics.per_graph import PerGraph, undefined


class Rows(PerGraph):
    def update(self, value, target, graph_id):
        self._keep(value, target, graph_id)

    def compute(self):
        return self._kept()


def test_each_graph_counts_once():
    metric = Rows()
    for ids in ([4, 1], [2, 4]):
        rows = torch.tensor(ids).view(-1, 1)
        metric.update(rows * 1.0, rows * 10, torch.tensor(ids))
    values, targets = metric.compute()
    assert values.flatten().tolist() == [1, 2, 4]
    assert targets.flatten().tolist() == [10, 20, 40]


def test_no_score():
    with pytest.warns(UserWarning, match='score is not defined: no labels'):
        assert undefined('no labels').isnan()
