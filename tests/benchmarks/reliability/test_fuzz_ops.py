"""The fuzz of the ops, and what it finds."""

import json
import os
import random
import time

import pytest
import torch

from benchmarks.reliability import op_slips
from benchmarks.reliability.fuzz_ops import (
    bad,
    fuzz,
    fuzz_layouts,
    in_children,
    main,
)
from benchmarks.reliability.op_calls import Call, record
from benchmarks.reliability.op_slips import draw_slip
from gmoe.ops import AVAILABLE
from gmoe.ops.backend import registered_ops

pytestmark = pytest.mark.skipif(not AVAILABLE, reason='no fused ops built')


@pytest.fixture(scope='module')
def calls():
    return [call for seed in range(3) for call in record(seed)]


def test_every_registered_op_is_called(calls):
    assert {call.op for call in calls} == registered_ops('CPU')
    for call in calls:
        call()


def test_wrong_arguments_are_refused(calls):
    outcomes = fuzz(calls, seed=1, count=500)
    assert not bad(outcomes)
    assert {outcome.op for outcome in outcomes} == registered_ops('CPU')
    refused = [outcome for outcome in outcomes if outcome.end == 'refused']
    assert len(refused) > 250


def test_other_layouts_change_nothing(calls):
    outcomes = fuzz_layouts(calls, seed=2, count=200)
    assert {outcome.end for outcome in outcomes} == {'accepted'}


def test_a_slip_changes_one_argument(calls):
    choose = random.Random(0)
    for _ in range(100):
        call = choose.choice(calls)
        slip = draw_slip(call, choose)
        pairs = zip(call.arguments, slip.call.arguments)
        (at,) = (k for k, (old, new) in enumerate(pairs) if old is not new)
        names = {call.names[at]}
        if isinstance(call.arguments[at], list):
            names.update(call.element_names(at))
        assert slip.argument in names


def test_what_is_accepted_though_invalid_is_found(monkeypatch):
    # An op that takes any matrix, as if it had to refuse some.
    monkeypatch.setattr(op_slips, 'ALLOWED', ())
    x = torch.ones(2, 3)
    lenient = Call('prefers_onednn', (x,))
    ends = {o.end for o in fuzz([lenient], seed=0, count=40)}
    assert ends == {'refused', 'accepted though invalid'}


def test_crashes_and_endless_calls_are_found():
    def crash():
        os.kill(os.getpid(), 11)

    def hang():
        time.sleep(60)

    def accept():
        return 'accepted'

    runs = [accept, crash, crash, accept, hang, accept]
    assert in_children(runs, limit=1) == [
        *('accepted', 'crashed', 'crashed', 'accepted', 'hung', 'accepted')
    ]


def test_the_command_writes_its_counts(tmp_path, capsys):
    main(calls=30, cases=1, results=tmp_path)
    result = json.loads((tmp_path / 'fuzz_ops.json').read_text())
    for part in (result['wrong_arguments'], result['layouts']):
        assert part['calls'] == sum(part['ends'].values()) == 30
        assert part['bad'] == []
    assert set(result['ops']) == registered_ops('CPU')
