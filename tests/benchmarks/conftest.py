"""Fixtures shared by the tests of the benchmarks."""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Gives torch one thread again after a benchmark has set another."""
    yield
    torch.set_num_threads(1)
