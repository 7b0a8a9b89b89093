"""Calls of several kinds in turn, drawn at random, and what became of them."""

from __future__ import annotations

import math
import random
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

#: Makes one call, and says whether what was given was accepted. It raises an
#: error if that is wrong.
Kind = Callable[[random.Random], bool]


def fuzz(
    kinds: dict[str, Kind], calls: int, seed: int, seconds: float = math.inf
) -> dict[str, Counter[str]]:
    """Makes calls, of all kinds in turn.

    Args:
        kinds: The kinds by name.
        calls: How many.
        seed: The seed of what is given.
        seconds: The longest that a call may take.

    Returns:
        How many calls of each kind were accepted and refused.

    Raises:
        AssertionError: If something is accepted, refused or read that should
            not be, with the call's number and kind.
    """
    counts = {name: Counter({'accepted': 0, 'refused': 0}) for name in kinds}
    for number in range(calls):
        name = list(kinds)[number % len(kinds)]
        start = time.monotonic()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter('ignore')
                good = kinds[name](random.Random(f'{seed} {number}'))
            taken = time.monotonic() - start
            assert taken < seconds, f'it took {taken:.1f} s'
        except Exception as error:
            raise AssertionError(
                f'call {number} of seed {seed} ({name}): {error!r}'
            ) from error
        counts[name]['accepted' if good else 'refused'] += 1
    return counts


def check_message(error: Exception, said: str, longest: int) -> None:
    """Checks what a refusal says.

    Args:
        error: The error.
        said: What it must say.
        longest: The most characters it may have, besides that.
    """
    message = str(error)
    assert said in message, (said, message)
    assert len(message) < longest + len(said), len(message)


def report(
    make_kinds: Callable[[Path], dict[str, Kind]],
    calls: int,
    seed: int,
    seconds: float = math.inf,
) -> None:
    """Makes calls and prints what became of them.

    Args:
        make_kinds: Gives the kinds for a folder where files may be written.
        calls: How many.
        seed: The seed of what is given.
        seconds: The longest that a call may take.
    """
    start = time.monotonic()
    # Trainings report on themselves.
    with TemporaryDirectory() as name, redirect_stdout(sys.stderr):
        counts = fuzz(make_kinds(Path(name)), calls, seed, seconds)
    for kind, count in counts.items():
        print(
            f'{kind}: {count["accepted"]} accepted, {count["refused"]} refused'
        )
    print(f'{calls} calls in {time.monotonic() - start:.0f} s, none wrong')
