"""The ops for CUDA as nvcc builds them, loaded by a PyTorch with CUDA: all but
their values, so that no GPU is needed. ``make cuda-load`` runs these tests."""

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.symbolic_shapes import ShapeEnv
from torch.utils._pytree import tree_leaves, tree_map_only

from benchmarks.reliability.op_calls import Call, Recorder, record
from benchmarks.speed.gpu_ops import WAITING, rows_by_index
from gmoe import ops
from gmoe.nn import GNN
from gmoe.ops import backend
from gmoe.ops.backend import declared_ops, registered_ops
from tests.cuda import build

#: Names others than those that are built without it.
ARCHITECTURES = 'TORCH_CUDA_ARCH_LIST'

pytestmark = pytest.mark.skipif(
    torch.version.cuda is None,
    reason=f'PyTorch {torch.__version__} has no CUDA',
)


@pytest.fixture(scope='module')
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library, built as ``make cuda`` does it, and loaded."""
    if not ops.AVAILABLE:
        pytest.skip('the fused ops are not built, whose schemas are needed')
    path = tmp_path_factory.mktemp('cuda') / '_C_cuda.so'
    done = subprocess.run(
        [
            *(sys.executable, 'setup.py', 'build_cuda', '--strict'),
            *('--output', str(path)),
        ],
        cwd=build.ROOT,
        env={k: v for k, v in os.environ.items() if k != ARCHITECTURES},
        capture_output=True,
        text=True,
        timeout=1800,
    )
    if 'nvcc is not found' in done.stderr:
        pytest.skip('nvcc is not found')
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    torch.ops.load_library(str(path))
    return path


@pytest.fixture(scope='module')
def calls(binary: Path) -> list[Call]:
    seeds = range(3)
    return [c for seed in seeds for c in (*record(seed), *rows_by_index(seed))]


def cuobjdump_folders() -> str:
    """Where the tool may be: Triton, which PyTorch brings, has it, too."""
    found = find_spec('triton')
    parts = ('backends', 'nvidia', 'bin')
    folders = found.submodule_search_locations if found else None
    own = [str(Path(folder, *parts)) for folder in folders or ()]
    return os.pathsep.join([os.environ.get('PATH', ''), *own])


def expected(call: Call) -> list[Any]:
    """The outputs on the CPU, where some ops are eager ones."""
    if call.op in registered_ops('CPU'):
        return tree_leaves(call())
    return tree_leaves(getattr(ops, call.op)(*call.arguments))


def test_architectures(binary):
    """The machine code of A100, H100 and B200, and what later GPUs
    translate."""
    tool = shutil.which('cuobjdump', path=cuobjdump_folders())
    if tool is None:
        pytest.skip('cuobjdump is not found')
    listed = subprocess.check_output(
        [tool, '--list-elf', '--list-ptx', str(binary)], text=True
    )
    found = set(re.findall(r'\.sm_(\w+)\.(cubin|ptx)', listed))
    machine = {(name, 'cubin') for name in ('80', '90', '100')}
    assert found == machine | {('100', 'ptx')}


def test_every_op_has_a_kernel(binary):
    assert registered_ops('CUDA') == declared_ops('CUDA')


@pytest.mark.parametrize('name', sorted(declared_ops('CUDA')))
def test_outputs_without_values(calls, name):
    """Those that a compiler is told of are on the GPU, and else as those of
    the CPU are."""
    own = [call for call in calls if call.op == name]
    assert own
    op = getattr(torch.ops.gmoe, name)
    for call in own:
        with FakeTensorMode(shape_env=ShapeEnv()) as mode:
            fakes = tree_map_only(
                Tensor,
                lambda t: mode.from_tensor(t).to('cuda'),
                call.arguments,
            )
            outs = tree_leaves(op(*fakes))
        for out, target in zip(outs, expected(call), strict=True):
            if not isinstance(target, Tensor):
                assert out == target
                continue
            assert out.device.type == 'cuda'
            assert out.dtype == target.dtype
            if name in WAITING:  # For a size that depends on values.
                assert out.dim() == target.dim()
            else:
                assert out.shape == target.shape


@pytest.mark.parametrize('conv', ['gcn', 'gin'])
def test_network_calls_them(binary, monkeypatch, conv):
    """Up to its output, with all on the GPU: PyTorch has no backward pass
    without one."""
    monkeypatch.setattr(backend, 'CUDA_AVAILABLE', True)
    with FakeTensorMode(shape_env=ShapeEnv()), torch.device('cuda'):
        model = GNN(
            conv=conv,
            hidden_channels=32,
            num_layers=2,
            num_experts=4,
            num_experts_1hop=2,
            top_k=2,
        )
        sizes = [(20, 9), (2, 40), (40, 3), (20,), (2, 60), (60, 6)]
        graph = [torch.zeros(size, dtype=torch.long) for size in sizes]
        with Recorder() as recorder:
            out = model(*graph, batch_size=3)
    assert out.shape == (3, 1)
    assert out.device.type == 'cuda'
    called = {call.op for call in recorder.calls}
    assert {'noisy_topk', 'routed_message', 'norm_combine'} <= called
    assert called <= declared_ops('CUDA')
