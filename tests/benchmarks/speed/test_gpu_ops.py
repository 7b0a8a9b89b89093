"""What must hold of every op, tried on the CPU."""

from functools import partial

import pytest
import torch

from benchmarks.reliability.op_calls import Call
from benchmarks.speed import gpu_ops
from benchmarks.speed.gpu_ops import (
    calls_on,
    determinism,
    once,
    same_bits,
    training_step,
)
from gmoe.ops import AVAILABLE
from gmoe.ops.backend import declared_ops

pytestmark = pytest.mark.skipif(
    not AVAILABLE, reason='the fused ops are not built'
)


def test_every_op_is_called():
    names = {call.op for call in calls_on('cpu', 1)}
    assert names == declared_ops('CPU')
    rows = {call.op for call in gpu_ops.rows_by_index(0)}
    assert declared_ops('CUDA') <= names | rows


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU here')
def test_missing_ops():
    with pytest.raises(RuntimeError, match="'cuda'.*add_rows"):
        calls_on('cuda', 1)


def test_checks_hold_on_the_cpu(monkeypatch):
    monkeypatch.setattr(
        gpu_ops, 'training_step', partial(training_step, num_nodes=60)
    )
    count = len(calls_on('cpu', 1))
    assert once('cpu', 1) == count
    assert determinism('cpu', 1, 2) == count + 2


def test_another_result_is_found(monkeypatch):
    results = Call.results
    monkeypatch.setattr(
        Call,
        'results',
        lambda self: [
            torch.as_tensor(out) + torch.rand(()) for out in results(self)
        ],
    )
    with pytest.raises(RuntimeError, match='differs from the CPU'):
        once('cpu', 1)
    with pytest.raises(RuntimeError, match='others in run 2 of 3'):
        determinism('cpu', 1, 3)


def test_same_bits():
    nan, zero = torch.tensor([float('nan')]), torch.zeros(2)
    assert same_bits([nan, zero[:0]], [nan, zero[:0]])
    assert not same_bits([zero], [-zero])
    assert not same_bits([zero], [zero[:1]])


@pytest.mark.parametrize('conv', ['gcn', 'gin'])
def test_training_step_is_the_same_each_time(conv):
    step = training_step(conv, 'cpu', 60)
    first = step()
    assert len(first) > 10
    assert same_bits(step(), first)
