"""Sizes of files from outside."""

import pytest

from gmoe.datasets.limits import SMALL, Limits


def test_content_of_a_compressed_file():
    limits = Limits(ratio=10)
    # What is small may be compressed as well as it can be.
    assert limits.content(1, most=10**9) == SMALL
    assert limits.content(SMALL, most=10**9) == 10 * SMALL
    assert limits.content(SMALL, most=5) == 5


@pytest.mark.parametrize('name', ['download', 'members', 'ratio'])
def test_refused(name):
    with pytest.raises(ValueError, match=f"'{name}' must be an integer >= 1"):
        Limits(**{name: 0})
