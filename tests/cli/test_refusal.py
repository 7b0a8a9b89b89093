"""Errors that are for the user, and those that are mistakes."""

import errno

import pytest
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from gmoe.cli.refusal import refusal
from gmoe.datasets import Limits
from gmoe.routing import importance_loss


def caught(call):
    with pytest.raises(BaseException) as error:  # noqa: PT011
        call()
    return error.value


def test_what_gmoe_raises_is_a_line():
    error = caught(lambda: Limits(table=0))
    assert refusal(error) == "'table' must be an integer >= 1, got 0"

    def wrap():
        raise KeyError('x') from error

    # Behind what wraps it, too.
    assert refusal(caught(wrap)) == "'table' must be an integer >= 1, got 0"


def test_other_errors():
    assert refusal(None) is None
    assert refusal(ValueError('a mistake of another package')) is None
    assert refusal(caught(lambda: importance_loss(None))) is None
    assert refusal(MisconfigurationException('no\nGPU')).startswith('no')
    full = OSError(errno.ENOSPC, 'No space left on device', '/x')
    assert "No space left on device: '/x'" in refusal(full)
    occupied = OSError(errno.EISDIR, 'Is a directory', '/x')
    assert "Is a directory: '/x'" in refusal(occupied)
    assert refusal(OSError(errno.EIO, 'of the disk')) is None
