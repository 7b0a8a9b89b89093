"""Calls every op with one wrong argument, each time in a forked process.

    python -m benchmarks.reliability.fuzz_ops --calls 5000

A call must be refused with an error: no crash, no call that does not end, and
nothing invalid that is accepted. As many calls have valid arguments, one of
them in another layout in memory: the result must be that of the dense one.
"""

from __future__ import annotations

import faulthandler
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
from jsonargparse import auto_cli

from benchmarks.common.record import RESULTS, provenance, write_result
from benchmarks.reliability.op_calls import Call, record
from benchmarks.reliability.op_slips import draw_layout, draw_slip
from gmoe.ops.backend import registered_ops

T = TypeVar('T')

#: How a call can end that it must not.
BAD = ('crashed', 'hung', 'accepted though invalid', 'differs', 'strange')

#: After so many seconds, a call does not end.
LIMIT = 20

#: How a call can end that does not end its process.
ENDS = ('refused', 'accepted', 'differs', 'strange')

# So many calls share a process, if none of them ends it.
CHUNK = 25


class Outcome(NamedTuple):
    """The end of a call with a wrong argument."""

    op: str
    argument: str
    kind: str
    end: str


def in_children(
    runs: Sequence[Callable[[], str]], limit: int = LIMIT
) -> list[str]:
    """Runs things in forked processes: the next ones in the same process, as
    long as it lives.

    Args:
        runs: Each gives one of :data:`ENDS`.
        limit: The seconds that each of them may take.

    Returns:
        What they gave, ``'crashed'`` or ``'hung'``.
    """
    ends: list[str] = []
    while len(ends) < len(runs):
        mouth, ear = _pipe()
        child = os.fork()
        if child == 0:
            _speak(runs[len(ends) : len(ends) + CHUNK], limit, mouth)
        os.close(mouth)
        with open(ear, 'rb') as told:
            heard = [ENDS[end] for end in told.read()]
        ends += heard
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status) or os.WEXITSTATUS(status):
            hung = os.WIFSIGNALED(status) and (
                os.WTERMSIG(status) == signal.SIGALRM
            )
            ends.append('hung' if hung else 'crashed')
    return ends


def _pipe() -> tuple[int, int]:
    ear, mouth = os.pipe()
    return mouth, ear


def _speak(runs: Sequence[Callable[[], str]], limit: int, mouth: int) -> None:
    # A child tells how each call ended, and never returns.
    status = 1
    faulthandler.disable()
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        for run in runs:
            signal.alarm(limit)
            os.write(mouth, bytes([ENDS.index(run())]))
        status = 0
    finally:
        os._exit(status)


def _try(call: Call) -> str:
    try:
        call()
    except (RuntimeError, TypeError, ValueError, NotImplementedError):
        return 'refused'
    except BaseException:  # An error that tells nobody anything.
        return 'strange'
    return 'accepted'


def _compare(odd: Call, dense: Call) -> str:
    try:
        torch.testing.assert_close(
            odd.results(), dense.results(), equal_nan=True
        )
    except AssertionError:
        return 'differs'
    except RuntimeError:
        return 'strange'  # What is valid must be accepted.
    return 'accepted'


def fuzz(calls: Iterable[Call], seed: int, count: int) -> list[Outcome]:
    """Makes calls with one wrong argument.

    Args:
        calls: Valid calls of every op.
        seed: The seed of the random choices.
        count: How many calls to make.
    """
    slips = _draw(draw_slip, calls, seed, count)
    ends = in_children([partial(_try, slip.call) for slip in slips])
    outcomes = []
    for slip, end in zip(slips, ends):
        if end == 'accepted' and not slip.may_be_valid:
            end = 'accepted though invalid'
        outcomes.append(Outcome(slip.call.op, slip.argument, slip.kind, end))
    return outcomes


def fuzz_layouts(
    calls: Iterable[Call], seed: int, count: int
) -> list[Outcome]:
    """Makes valid calls with one tensor in another layout.

    Args:
        calls: Valid calls of every op.
        seed: The seed of the random choices.
        count: How many calls to make.
    """
    drawn = _draw(draw_layout, calls, seed, count)
    ends = in_children([partial(_compare, *pair.calls) for pair in drawn])
    return [
        Outcome(pair.calls[0].op, pair.argument, pair.layout, end)
        for pair, end in zip(drawn, ends)
    ]


def bad(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """The outcomes that must not happen."""
    return [outcome for outcome in outcomes if outcome.end in BAD]


def _draw(
    draw: Callable[[Call, random.Random], T],
    calls: Iterable[Call],
    seed: int,
    count: int,
) -> list[T]:
    by_op: dict[str, list[Call]] = {}
    for call in calls:
        by_op.setdefault(call.op, []).append(call)
    choose = random.Random(seed)
    return [
        draw(choose.choice(by_op[choose.choice([*by_op])]), choose)
        for _ in range(count)
    ]


def _summary(outcomes: list[Outcome]) -> dict[str, Any]:
    names = dict.fromkeys([*ENDS, *BAD], 0)
    ends = names | Counter(outcome.end for outcome in outcomes)
    ops: dict[str, dict[str, int]] = {}
    for outcome in outcomes:
        counts = ops.setdefault(outcome.op, {})
        counts[outcome.end] = counts.get(outcome.end, 0) + 1
    return {
        'calls': len(outcomes),
        'ends': ends,
        'by_op': {op: ops[op] for op in sorted(ops)},
        'kinds': len({outcome[:3] for outcome in outcomes}),
        'bad': sorted({' / '.join(o) for o in bad(outcomes)}),
    }


def main(
    calls: int = 5000,
    seed: int = 0,
    cases: int = 20,
    results: Path = RESULTS,
) -> None:
    """Fuzzes the ops and writes what came of it.

    Args:
        calls: How many calls have a wrong argument, and how many another
            layout.
        seed: The first seed of the arguments, and that of what is chosen.
        cases: How many times valid arguments are drawn.
        results: The folder of the result.
    """
    torch.set_num_threads(1)
    valid = [call for k in range(cases) for call in record(seed + k)]
    started = time.perf_counter()
    wrong = _summary(fuzz(valid, seed, calls))
    layouts = _summary(fuzz_layouts(valid, seed, calls))
    result = {
        'wrong_arguments': wrong,
        'layouts': layouts,
        'ops': sorted(registered_ops('CPU')),
        'seconds': round(time.perf_counter() - started, 1),
        **provenance(),
    }
    write_result(results, 'fuzz_ops', result)
    print('a wrong argument:', wrong['ends'], *wrong['bad'])
    print('another layout:', layouts['ends'], *layouts['bad'])
    if wrong['bad'] or layouts['bad']:
        raise SystemExit(1)


if __name__ == '__main__':
    auto_cli(main, as_positional=False)
