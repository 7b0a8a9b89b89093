"""Makes tests of ops run the kernels for CUDA:

    python -m pytest -p tests.cuda.plugin tests/ops -k cpu

``GMOE_EMULATED`` names the library, ``GMOE_EMULATOR_SEED`` the order in which
threads run. An error of the emulator is a :obj:`RuntimeError` of the op.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import pytest

from tests.cuda import emulated


def pytest_configure(config: pytest.Config) -> None:
    path = Path(os.environ['GMOE_EMULATED'])
    emulated.load(path)
    emulated.serve()
    seed = int(os.environ.get('GMOE_EMULATOR_SEED', '0'))
    library = ctypes.CDLL(str(path))
    library.emulator_seed.argtypes = [ctypes.c_uint64]
    library.emulator_seed(seed)
