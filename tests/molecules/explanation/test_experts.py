import numpy as np
import pytest

pytest.importorskip('rdkit')

from gmoe.molecules.explanation import route
from tests.molecules.explanation.networks import (
    graph,
    predictor,
)


def test_the_routing_of_each_layer():
    model, data = predictor('top1'), graph()
    layers = route(model, data)
    _, routings = model(data)
    assert [layer.layer for layer in layers] == [0, 1]
    for layer, routing in zip(layers, routings):
        assert np.array_equal(layer.strongest, routing.expert.numpy())
        assert layer.num_experts == 4
        assert [layer.hop(e) for e in range(4)] == [1, 1, 2, 2]


def test_networks_with_few_mixtures_or_none():
    assert [layer.layer for layer in route(predictor('part'), graph())] == [1]
    assert route(predictor('single'), graph()) == []
