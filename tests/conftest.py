"""Fixtures shared by all tests."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

# Before the hub's library is imported, which PyG does, too: tests look for
# nothing on the network.
os.environ.setdefault('HF_HUB_OFFLINE', '1')
# Ray's processes would wait for all others, the tests beside them included.
os.environ.setdefault('RAY_worker_niceness', '0')
# A command that a shell starts in the background ignores interrupts, and so
# would all processes that tests interrupt.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import torch

from gmoe.ops import AVAILABLE, CUDA_AVAILABLE

torch.set_num_threads(1)


# Session scope, so that Hypothesis may use it.
@pytest.fixture(
    scope='session',
    params=[
        'cpu',
        pytest.param(
            'cuda',
            marks=pytest.mark.skipif(
                not torch.cuda.is_available(), reason='no GPU here'
            ),
        ),
    ],
)
def device(request: pytest.FixtureRequest) -> torch.device:
    """Each device that ops run on."""
    return torch.device(request.param)


@pytest.fixture(scope='session')
def fused_device(device: torch.device) -> torch.device:
    """Each device that the fused ops run on."""
    if not (AVAILABLE if device.type == 'cpu' else CUDA_AVAILABLE):
        pytest.skip(f"no fused ops built for '{device}'")
    return device


@pytest.fixture(scope='session')
def data_root() -> Path:
    """The folder of the real data, from ``GMOE_DATA_ROOT``."""
    root = os.environ.get('GMOE_DATA_ROOT')
    if not root:
        pytest.skip('GMOE_DATA_ROOT is not set: no real data here')
    return Path(root)


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    """The size and the time of change of all that is in a folder."""
    paths = (folder, *folder.rglob('*'))
    return {
        str(path): (stat.st_size, stat.st_mtime_ns)
        for path in paths
        for stat in [path.lstat()]
    }


@pytest.fixture(scope='session', autouse=True)
def leaves_data_alone(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[None]:
    """Keeps what is made of real data out of its folder and of the user's,
    in processes that tests start, too, and checks that.
    """
    folder = tmp_path_factory.getbasetemp()
    if 'PYTEST_XDIST_WORKER' in os.environ:
        folder = folder.parent  # Of all processes.
    os.environ['GMOE_CACHE_DIR'] = str(folder / 'cache')
    root = os.environ.get('GMOE_DATA_ROOT')
    before = contents(Path(root)) if root else {}
    yield
    after = contents(Path(root)) if root else {}
    changed = dict(before.items() ^ after.items())
    assert not changed, f'tests changed {sorted(changed)[:5]}'
