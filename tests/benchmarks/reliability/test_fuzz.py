"""Calls in turn: what is counted, and what is wrong."""

import time
import warnings

import pytest

from benchmarks.reliability.fuzz import check_message, fuzz


def test_counts_of_each_kind_follow_the_seed():
    def draws(seed: int) -> list[float]:
        seen = []
        kinds = {
            'even': lambda draw: seen.append(draw.random()) or True,
            'odd': lambda draw: seen.append(draw.random()) is not None,
        }
        counts = fuzz(kinds, 5, seed)
        assert counts['even'] == {'accepted': 3, 'refused': 0}
        assert counts['odd'] == {'accepted': 0, 'refused': 2}
        return seen

    assert draws(1) == draws(1)
    assert not set(draws(1)) & set(draws(2))


def test_what_is_wrong_is_named():
    def wrong(draw):
        warnings.warn('not shown', stacklevel=1)
        raise KeyError('a')

    with pytest.raises(AssertionError, match=r'call 1 of seed 7 .bad.: KeyE'):
        fuzz({'good': lambda draw: True, 'bad': wrong}, 2, 7)
    with pytest.raises(AssertionError, match='call 0 .*it took 0.'):
        fuzz({'slow': lambda draw: time.sleep(0.01)}, 1, 0, seconds=0.005)


def test_messages():
    error = ValueError("'x' must be y, got z")
    check_message(error, "'x' must be", 10)
    for said, longest in (("'y' must be", 99), ("'x' must be", 9)):
        with pytest.raises(AssertionError):
            check_message(error, said, longest)
