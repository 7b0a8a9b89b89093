"""The emulated ops, built once."""

from pathlib import Path

import pytest

from gmoe.ops import AVAILABLE
from tests.cuda import build


@pytest.fixture(scope='session')
def emulator() -> None:
    """Skips where the emulator cannot be built."""
    reason = build.why_not()
    if reason is not None:
        pytest.skip(reason)


@pytest.fixture(scope='session')
def library(emulator: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The emulated ops as a library."""
    if not AVAILABLE:
        pytest.skip('the fused ops are not built, whose schemas are needed')
    return build.build(tmp_path_factory.mktemp('emulated'))
