"""The experts of a Switch Transformer by three ways."""

import json

import pytest
import torch

reason = "the extra 'text' is not installed"
pytest.importorskip('transformers', reason=reason)

from benchmarks.speed.switch import (  # noqa: E402
    main,
    make_layers,
    time_layers,
)

SIZES = {'num_experts': 3, 'd_model': 8, 'd_ff': 12}


def test_main(tmp_path):
    path = tmp_path / 'switch.json'
    main(tokens=9, rounds=2, threads=1, json=path, **SIZES)
    record = json.loads(path.read_text())
    (row,) = record['rows']
    assert record['d_ff'] == 12
    assert (row['tokens'], row['threads']) == (9, 1)
    for name in ('transformers', 'all_experts'):
        assert row[f'times_faster_than_{name}'] > 0
        assert row[f'{name}_ms'] > 0
    assert row['largest_difference'] < 1e-5


def test_ways_that_differ():
    layers = make_layers(**SIZES)
    expert = layers['all_experts'].layer.experts['expert_0']
    changed = make_layers(**SIZES)['all_experts']
    changed.layer.experts['expert_0'] = expert
    with pytest.raises(RuntimeError, match='the layers differ by'):
        time_layers({**layers, 'other': changed}, torch.randn(1, 9, 8), 1)
