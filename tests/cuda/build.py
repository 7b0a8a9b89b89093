"""Builds the kernels for CUDA as a library of the CPU, whose threads run under
the emulator beside this file.

Launches, shared memory and assertions have a syntax or a meaning of their own,
and are rewritten; all else is left to ``emulator/cuda_runtime.h``. The ops are
registered for the CPU, in a namespace that is asked for. Objects are kept by
their content, so that only what has changed is compiled.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / 'gmoe' / 'csrc'
EMULATOR = Path(__file__).parent / 'emulator'

#: Where objects are kept.
CACHE = Path(tempfile.gettempdir()) / f'gmoe-emulator-{os.getuid()}'

_KERNEL = re.compile(
    r'__global__\s+void\s+(?:__launch_bounds__\([^()]*\)\s*)?(\w+)\s*\('
)
_LAUNCH = re.compile(r'([\w:]+(?:<[\w:, ]+>)?)\s*<<<(.*?)>>>\s*\(', re.DOTALL)
_SHARED = re.compile(r'(extern\s+)?__shared__\s+([\w:<>, ]+?)\s+([^;=]+);')
_ASSERT = re.compile(r'(?<!\w)assert\(')

_FLAGS = ['-std=c++20', '-fPIC', '-fvisibility=hidden', '-g0']
_CHECKED = [
    *('-O1', '-w', '-fsanitize=thread,alignment,bounds,shift'),
    '-fno-sanitize-recover=alignment,bounds,shift',
    *('--param', 'tsan-instrument-func-entry-exit=0'),
]


def environment() -> dict[str, str]:
    """The environment of a process in which memory beside that of tensors is
    nobody's, and new memory holds what is no number."""
    paths = [
        subprocess.check_output(
            ['g++', f'-print-file-name={name}.so'], text=True
        ).strip()
        for name in ('libasan', 'libstdc++')
    ]
    options = {
        'detect_leaks': 0,
        'detect_stack_use_after_return': 0,
        'max_malloc_fill_size': 2**30,
        'malloc_fill_byte': 255,
    }
    return {
        **os.environ,
        'LD_PRELOAD': ' '.join(paths),
        'ASAN_OPTIONS': ':'.join(f'{k}={v}' for k, v in options.items()),
        'OMP_NUM_THREADS': '1',
    }


def why_not() -> str | None:
    """Why nothing can be built here, :obj:`None` if it can."""
    if platform.machine() != 'x86_64' or platform.system() != 'Linux':
        return 'the emulator is for Linux on x86-64'
    if shutil.which('g++') is None:
        return 'g++ is not found'
    return None


def rewrite(source: str, namespace: str = 'gmoe_emulated') -> str:
    """The source of a kernel, as the emulator takes it.

    Args:
        source: The source for CUDA.
        namespace: That of the ops.
    """
    source = _SHARED.sub(_shared, source)
    source = _LAUNCH.sub(_launch, source)
    source = _ASSERT.sub('EMULATOR_ASSERT(', source)
    source = source.replace('__syncwarp()', '__syncwarp(0xffffffffU)')
    source = source.replace('STD_CUDA_KERNEL_LAUNCH_CHECK();', '')
    source = source.replace(
        'torch::stable::accelerator::DeviceGuard', '::emulator::DeviceGuard'
    )
    source = source.replace(
        'STABLE_TORCH_LIBRARY_IMPL(gmoe, CUDA, m)',
        f'STABLE_TORCH_LIBRARY_IMPL({namespace}, CPU, m)',
    )
    parts, at = [], 0
    for kernel in _KERNEL.finditer(source):
        brace = source.index('{', _closing(source, kernel.end() - 1))
        parts += [
            source[at : brace + 1],
            f' ::emulator::enter("{kernel[1]}");',
        ]
        at = brace + 1
    return ''.join([*parts, source[at:]])


def found_by(module: str, argument: Path) -> dict[str, Any]:
    """What a module says in JSON that runs where AddressSanitizer does.

    Args:
        module: The module, run as a command.
        argument: What it is given.
    """
    done = subprocess.run(
        [sys.executable, '-m', module, str(argument)],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _closing(source: str, at: int) -> int:
    # The parenthesis that closes the one at a position.
    depth = 0
    for k in range(at, len(source)):
        depth += {'(': 1, ')': -1}.get(source[k], 0)
        if depth == 0:
            return k
    raise ValueError(f"'source' must close all parentheses, got {source!r}")


def _launch(match: re.Match) -> str:
    # The shared memory and the stream may be left out.
    given = [part.strip() for part in match[2].split(',')]
    shape = ', '.join([*given, *['0', 'nullptr'][len(given) - 2 :]])
    return f'::emulator::launch({match[1]}, {shape}, '


def _shared(match: re.Match) -> str:
    # A reference to memory of the block, which is found by the address of a
    # variable that each instance of a kernel has for itself.
    if match[1]:
        name = match[3].split('[')[0].strip()
        return (
            f'{match[2]}* const {name} = static_cast<{match[2]}*>('
            '::emulator::dynamic_shared());'
        )
    out = []
    for item in match[3].split(','):
        name, *sizes = re.findall(r'\w+|\[[^\]]*\]', item)
        out.append(
            f'typedef {match[2]} {name}_t{"".join(sizes)}; '
            f'static char {name}_key; {name}_t& {name} = '
            f'*static_cast<{name}_t*>(::emulator::share('
            f'&{name}_key, sizeof({name}_t)));'
        )
    return ' '.join(out)


def build(
    folder: Path,
    names: list[str] | None = None,
    changes: Mapping[str, tuple[str, str]] | None = None,
    namespace: str = 'gmoe_emulated',
) -> Path:
    """Builds a library of ops.

    Args:
        folder: Where it goes.
        names: The sources below ``gmoe/csrc/cuda``; all if not given.
        changes: By the name of a file below ``gmoe/csrc``, a text of it and
            what to put in its place.
        namespace: That of the ops.

    Raises:
        ValueError: If a text that is to be changed is not there.
    """
    tree = folder / namespace
    _copy(tree, changes or {}, namespace)
    files = sorted((tree / 'cuda').glob('*.cu'))
    if names is not None:
        files = [path for path in files if path.name in names]
    objects = _compile(files, [f'-I{EMULATOR}', *_torch_flags()], tree)
    library = folder / f'{namespace}.so'
    _link([*objects, *runtime()], library, *_torch_libraries())
    return library


def build_plain(source: Path, folder: Path) -> Path:
    """Builds a library of kernels that need no PyTorch.

    Args:
        source: The file.
        folder: Where it goes.
    """
    path = folder / source.name
    path.write_text(rewrite(source.read_text()))
    library = path.with_suffix('.so')
    _link([*_compile([path], [f'-I{EMULATOR}'], folder), *runtime()], library)
    return library


def runtime() -> list[Path]:
    """The objects of the emulator itself."""
    files = sorted(EMULATOR.glob('*.cpp'))
    return [_object(path, ['-O2', *_FLAGS], EMULATOR) for path in files]


def _copy(
    tree: Path, changes: Mapping[str, tuple[str, str]], namespace: str
) -> None:
    left = dict(changes)
    for path in (*SOURCES.glob('*.h'), *(SOURCES / 'cuda').iterdir()):
        name = str(path.relative_to(SOURCES))
        text = path.read_text()
        if name in left:
            old, new = left.pop(name)
            if old not in text:
                raise ValueError(f"'{name}' must hold {old!r} to be changed")
            text = text.replace(old, new)
        to = tree / name
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text(rewrite(text, namespace))
    if left:
        raise ValueError(f"'changes' must name sources, got {sorted(left)}")


def _compile(files: list[Path], flags: list[str], tree: Path) -> list[Path]:
    flags = [*_FLAGS, *_CHECKED, *flags, f'-ffile-prefix-map={tree}/=']
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda path: _object(path, flags, tree), files))


def _object(path: Path, flags: list[str], tree: Path) -> Path:
    content = hashlib.sha256()
    headers = [*tree.rglob('*.h'), *EMULATOR.glob('*.h')]
    for part in (path, *sorted(headers)):
        content.update(part.read_bytes())
    plain = [flag.replace(str(tree), '') for flag in flags]
    content.update(repr([path.name, plain]).encode())
    CACHE.mkdir(exist_ok=True, mode=0o700)
    if CACHE.stat().st_uid != os.getuid():
        raise PermissionError(f"'{CACHE}' must be your own folder")
    out = CACHE / f'{path.stem}-{content.hexdigest()[:16]}.o'
    with out.with_suffix('.lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # Tests may run side by side.
        if not out.exists():
            own = out.with_suffix('.part')
            _call('g++', *flags, '-x', 'c++', '-c', str(path), '-o', str(own))
            own.replace(out)
    return out


def _link(objects: list[Path], library: Path, *flags: str) -> None:
    _call(
        *('g++', '-shared', '-o', str(library)),
        *map(str, objects),
        *flags,
    )


def _call(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f'{command[0]} ended with:\n{done.stderr[-3000:]}')


def _torch_flags() -> list[str]:
    from torch.utils import cpp_extension

    setup = (ROOT / 'setup.py').read_text()
    (target,) = re.findall(r"^TORCH_TARGET_VERSION = '(\w+)'", setup, re.M)
    paths = cpp_extension.include_paths()
    return [
        f'-DTORCH_TARGET_VERSION={target}',
        *(f'-isystem{path}' for path in paths),
    ]


def _torch_libraries() -> list[str]:
    from torch.utils import cpp_extension

    paths = cpp_extension.library_paths()
    return [*(f'-L{path}' for path in paths), '-ltorch_cpu', '-lc10']
