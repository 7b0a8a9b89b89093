"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(scope='session')
def data_root() -> Path:
    """The folder of the real data, from ``GMOE_DATA_ROOT``."""
    root = os.environ.get('GMOE_DATA_ROOT')
    if not root:
        pytest.skip('GMOE_DATA_ROOT is not set: no real data here')
    return Path(root)
