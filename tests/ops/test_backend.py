"""The switch between the fused ops and their eager versions."""

import _thread
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

import gmoe
from gmoe.ops import AVAILABLE, backend, eager_ops
from gmoe.ops.backend import use_native


def test_switch():
    x = torch.zeros(1)
    assert use_native(x) == AVAILABLE
    with eager_ops():
        assert not use_native(x)
        with eager_ops():
            assert not use_native(x)
        assert not use_native(x)
    assert use_native(x, None) == AVAILABLE


@pytest.mark.skipif(not AVAILABLE, reason='no fused ops built')
@pytest.mark.parametrize('loaded', [True, False])
def test_devices(monkeypatch, loaded):
    class On:
        def __init__(self, device):
            self.device = torch.device(device)

    monkeypatch.setattr(backend, 'CUDA_AVAILABLE', loaded)
    assert use_native(On('cpu'), On('cpu'))
    assert use_native(On('cuda:1'), None, On('cuda:1')) == loaded
    assert not use_native(On('cuda:0'), On('cuda:1'))
    assert not use_native(On('cuda:0'), On('cpu'))
    assert not use_native(On('meta'))
    assert use_native(On('cpu'), cuda=False)
    assert not use_native(On('cuda:1'), cuda=False)


def test_broken_binary_is_left_aside(tmp_path):
    # A package whose binary does not fit still imports, with a warning.
    code = (
        'import pathlib, shutil, sys, warnings\n'
        'import gmoe\n'
        'source = pathlib.Path(gmoe.__file__).parent\n'
        f'target = pathlib.Path({str(tmp_path)!r}) / "gmoe"\n'
        'shutil.copytree(source, target,'
        ' ignore=shutil.ignore_patterns("*.so"))\n'
        '(target / "_C.so").write_bytes(b"not a library")\n'
        'for name in [n for n in sys.modules if n.startswith("gmoe")]:\n'
        '    del sys.modules[name]\n'
        'sys.path.insert(0, str(target.parent))\n'
        'with warnings.catch_warnings(record=True) as caught:\n'
        '    warnings.simplefilter("always")\n'
        '    from gmoe.ops import AVAILABLE\n'
        'assert not AVAILABLE\n'
        'assert any("cannot be loaded" in str(w.message) for w in caught)\n'
        'import gmoe.nn\n'
    )
    subprocess.run([sys.executable, '-c', code], check=True, timeout=120)


@pytest.mark.skipif(not AVAILABLE, reason='no fused ops built')
def test_binary_of_other_sources_is_left_aside(tmp_path):
    # One that lacks an op, as after an update without a new build.
    package = Path(gmoe.__file__).parent
    copy = shutil.copytree(package, tmp_path / 'gmoe')
    file = copy / 'ops' / 'two_hop.py'
    declared = "declare_op('two_hop', _fake)"
    assert declared in file.read_text()
    other = declared.replace('two_hop', 'no_such_op')
    file.write_text(file.read_text().replace(declared, other))
    code = (
        'import warnings\n'
        'with warnings.catch_warnings(record=True) as caught:\n'
        '    warnings.simplefilter("always")\n'
        '    from gmoe.ops import AVAILABLE\n'
        'import gmoe.nn\n'
        f'assert gmoe.__file__.startswith({str(tmp_path)!r})\n'
        'assert not AVAILABLE\n'
        'assert any("no_such_op" in str(w.message) for w in caught)\n'
    )
    subprocess.run(
        [sys.executable, '-c', code], check=True, timeout=120, cwd=tmp_path
    )


def test_overlapping_switches():
    # Whichever is closed first, the fused ops are back when both are.
    x = torch.zeros(1)
    one, two = eager_ops(), eager_ops()
    one.__enter__()
    two.__enter__()
    one.__exit__(None, None, None)
    assert not use_native(x)
    two.__exit__(None, None, None)
    assert use_native(x) == AVAILABLE


def test_a_switch_is_its_threads_own():
    x = torch.zeros(1)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(use_native, x).result() == AVAILABLE
        with eager_ops():
            assert pool.submit(use_native, x).result() == AVAILABLE
            assert not use_native(x)
            # The backward pass runs in this thread, or in one of PyTorch's.
            y = torch.ones(1, requires_grad=True)
            seen = []
            y.register_hook(lambda grad: seen.append(use_native(x)))
            y.sum().backward()
            assert seen == [False]


def test_a_switch_reaches_threads_without_python():
    # As those are that run the backward pass on CUDA.
    seen = []
    with eager_ops():
        _thread.start_new_thread(
            lambda: seen.append(use_native(torch.zeros(1))), ()
        )
        while not seen:
            time.sleep(0.01)
    assert seen == [False]


@pytest.mark.skipif(not AVAILABLE, reason='no fused ops built')
def test_ops_of_the_binaries_are_those_registered():
    # As the sources have them; those for CUDA need not be built here.
    sources = Path(gmoe.__file__).parent / 'csrc'
    if not sources.exists():
        pytest.skip('the sources are not here')

    def implemented(folder):
        text = ''.join(path.read_text() for path in folder.iterdir())
        return set(re.findall(r'm\.impl\(\s*"(\w+)"', text))

    assert implemented(sources / 'cpu') == backend.registered_ops('CPU')
    assert implemented(sources / 'cpu') == backend.declared_ops('CPU')
    assert implemented(sources / 'cuda') == backend.declared_ops('CUDA')
