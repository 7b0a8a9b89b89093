"""The kernels for CUDA, run on the CPU: against the ops for the CPU, and in
the tests of ops that name a device."""

import ctypes
import os
import re
import subprocess
import sys

import pytest
import torch

from benchmarks.reliability.op_calls import record
from benchmarks.speed.gpu_ops import TOLERANCE, outputs, same_bits
from gmoe.ops.backend import declared_ops
from tests.cuda import build, emulated
from tests.devices import assert_near

SEEDS = range(3)

#: Seconds for all tests of ops, many times what they take.
LIMIT = 3600


@pytest.fixture(scope='module')
def seed_order(library):
    """Loads the emulated ops, and makes threads run in another order."""
    emulated.load(library)
    order = ctypes.CDLL(str(library)).emulator_seed
    order.argtypes = [ctypes.c_uint64]
    return order


@pytest.fixture(scope='module')
def calls():
    return [call for seed in range(3) for call in record(seed)]


@pytest.mark.parametrize(
    'name', sorted(declared_ops('CUDA') & declared_ops('CPU'))
)
def test_ops_of_both_devices_agree(seed_order, calls, name):
    own = [call for call in calls if call.op == name]
    assert own
    op = getattr(torch.ops.gmoe_emulated, name)
    for call in own:
        expected = outputs(call)
        results = []
        for seed in SEEDS:
            seed_order(seed)
            outs = torch.utils._pytree.tree_leaves(op(*call.arguments))
            results.append(outs[: len(expected)])
        for outs in results[1:]:
            assert same_bits(outs, results[0])
        for out, target in zip(results[0], expected, strict=True):
            tolerance = TOLERANCE.get(target.dtype, 0.0)
            assert_near([out], [target], tolerance)


def test_tests_of_ops_hold(library):
    """Under AddressSanitizer, with the kernels in place of the ops for the
    CPU. The gate's are left out: hundreds of experts take minutes there."""
    done = subprocess.run(
        [
            *(sys.executable, '-m', 'pytest', '-q', '-p', 'tests.cuda.plugin'),
            *('-p', 'no:cacheprovider', '-k', 'cpu', 'tests/ops'),
            '--ignore=tests/ops/test_noisy_topk.py',
        ],
        cwd=build.ROOT,
        env={
            **build.environment(),
            'GMOE_EMULATED': str(library),
            'GMOE_EMULATOR_SEED': os.environ.get('GMOE_EMULATOR_SEED', '0'),
            'GMOE_DATA_ROOT': '',
        },
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-3000:]
    (passed,) = re.findall(r'(\d+) passed', done.stdout)
    assert int(passed) > 150
