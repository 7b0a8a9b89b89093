"""The native build only: everything else is declared in setup.cfg.

The fused ops are built where torch can be imported (``pip install
--no-build-isolation``) and a compiler is found; without them gmoe is pure
Python. Those for CUDA are a library of their own, as their symbols are missing
from a torch without CUDA, and need nvcc and a torch with CUDA. Environment
variables: ``GMOE_NO_EXT=1`` builds none, ``GMOE_SANITIZE=1`` those for the CPU
with checks of every access to memory and of undefined behaviour (see ``make
sanitize``), ``FORCE_CUDA=1`` those for CUDA
whatever torch has, ``TORCH_CUDA_ARCH_LIST`` names their architectures.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from setuptools import Command, setup
from setuptools.command.bdist_wheel import bdist_wheel

ROOT = Path(__file__).parent
# The oldest PyTorch whose stable ABI the extension needs: one binary then
# serves every later one.
TORCH_TARGET_VERSION = '0x020a000000000000ULL'
# Those of A100, H100 and B200; later ones translate the newest.
CUDA_ARCHITECTURES = ('8.0', '9.0', '10.0')
SANITIZE = '-fsanitize=address,undefined'


def optimisation() -> list[str]:
    if not is_set('GMOE_SANITIZE'):
        return ['-O3', '-g0']
    kept = ('-fno-sanitize-recover=undefined', '-fno-omit-frame-pointer')
    return ['-O1', '-g', SANITIZE, *kept]


def is_set(name: str) -> bool:
    return os.environ.get(name, '0') not in ('', '0')


def say(message: str) -> None:
    print(f'gmoe: {message}', file=sys.stderr)


def find_nvcc() -> str | None:
    folders = [os.environ.get(name) for name in ('CUDA_HOME', 'CUDA_PATH')]
    path = os.pathsep.join(f'{folder}/bin' for folder in folders if folder)
    return (
        shutil.which('nvcc', path=path)
        or shutil.which('nvcc')
        or shutil.which('nvcc', path='/usr/local/cuda/bin')
    )


def known_architectures(nvcc: str) -> str:
    """Those of the architectures that an nvcc has: before 12.8, not all."""
    listed = subprocess.check_output([nvcc, '--list-gpu-arch'], text=True)
    names = set(listed.split())
    own = [
        architecture
        for architecture in CUDA_ARCHITECTURES
        if f'compute_{architecture.replace(".", "")}' in names
    ]
    return f'{";".join(own)}+PTX'


class BuildCuda(Command):
    """Builds the CUDA ops with nvcc itself: CUDAExtension refuses where
    torch has no CUDA."""

    description = 'build the ops for CUDA'
    user_options = [
        ('output=', 'o', 'the library'),
        ('strict', None, 'take warnings for errors'),
    ]
    boolean_options = ['strict']

    def initialize_options(self) -> None:
        self.output = str(ROOT / 'gmoe' / '_C_cuda.so')
        self.strict = False

    def finalize_options(self) -> None:
        pass

    def run(self) -> None:
        from torch.utils import cpp_extension

        Path(self.output).unlink(missing_ok=True)
        nvcc = find_nvcc()
        if nvcc is None:
            raise RuntimeError('nvcc is not found')
        os.environ.setdefault(
            'TORCH_CUDA_ARCH_LIST', known_architectures(nvcc)
        )
        architectures = cpp_extension._get_cuda_arch_flags()
        strict = ['-Werror', 'all-warnings', '-Xcompiler=-Wall,-Werror']
        compiler = [
            *(nvcc, '-c', '-std=c++20', '-O3', *architectures),
            *('-DUSE_CUDA', f'-DTORCH_TARGET_VERSION={TORCH_TARGET_VERSION}'),
            *('-Xcompiler', '-fPIC,-fvisibility=hidden'),
            *(strict if self.strict else []),
            *(f'-isystem={path}' for path in cpp_extension.include_paths()),
        ]
        linker = [
            *('-shared', '-o', str(self.output), *architectures),
            *(f'-L{path}' for path in cpp_extension.library_paths()),
            # libtorch.so brings libtorch_cuda.so where there is one, so that
            # it need not be there now. The runtime is the one of torch.
            *('-Xlinker', '--no-as-needed', '-ltorch', '-ltorch_cpu', '-lc10'),
            *('-cudart', 'shared'),
        ]
        with tempfile.TemporaryDirectory() as folder:
            objects = self.compile(compiler, Path(folder))
            subprocess.run([nvcc, *objects, *linker], check=True)

    def compile(self, compiler: list[str], folder: Path) -> list[str]:
        """Compiles all sources side by side, and returns their objects."""

        def compile_one(source: Path) -> str:
            path = str(folder / f'{source.stem}.o')
            subprocess.run([*compiler, str(source), '-o', path], check=True)
            return path

        sources = sorted((ROOT / 'gmoe' / 'csrc').glob('**/*.cu'))
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(compile_one, sources))


class Wheel(bdist_wheel):
    """Where the extension could not be built, a wheel for every platform."""

    def run_command(self, command: str) -> None:
        super().run_command(command)
        if command == 'build' and not self._is_built():
            self.distribution.ext_modules = []
            self.root_is_pure = True

    def _is_built(self) -> bool:
        outputs = self.get_finalized_command('build_ext').get_outputs()
        return all(os.path.exists(path) for path in outputs)


def extensions() -> dict:
    if is_set('GMOE_NO_EXT'):
        return {}
    try:
        import torch
        from torch.utils.cpp_extension import BuildExtension, CppExtension
    except ImportError:
        say(
            'torch cannot be imported here, so the fused ops are not '
            'built and gmoe is installed in pure Python. Everything works; '
            "'pip install --no-build-isolation' builds them."
        )
        return {}
    sources = sorted((ROOT / 'gmoe' / 'csrc').glob('**/*.cpp'))
    extension = CppExtension(
        'gmoe._C',
        [str(path.relative_to(ROOT)) for path in sources],
        extra_compile_args={
            'cxx': [
                *optimisation(),
                '-fvisibility=hidden',
                # Errors name the sources, not the folder they were built in.
                f'-ffile-prefix-map={ROOT.resolve()}/=',
                f'-DTORCH_TARGET_VERSION={TORCH_TARGET_VERSION}',
            ]
        },
        extra_link_args=[SANITIZE] if is_set('GMOE_SANITIZE') else [],
        py_limited_api=True,
    )
    extension.optional = True  # Its absence is no error to setuptools.

    class OptionalBuild(BuildExtension):
        """Without a working compiler, installs without the extension."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, no_python_abi_suffix=True, **kwargs)

        def run(self) -> None:
            try:
                super().run()
            except Exception as error:
                say(
                    'the fused ops could not be built, so gmoe is '
                    f'installed in pure Python. Everything works. ({error})'
                )
                return
            if is_set('GMOE_SANITIZE'):
                return
            if torch.version.cuda or is_set('FORCE_CUDA'):
                self.build_cuda()

        def build_cuda(self) -> None:
            beside = Path(self.get_ext_fullpath(extension.name))
            command = BuildCuda(self.distribution)
            command.output = str(beside.with_name('_C_cuda.so'))
            try:
                command.run()
            except subprocess.CalledProcessError as error:
                reason = f'nvcc ended with status {error.returncode}'
            except Exception as error:
                reason = str(error)
            else:
                return
            say(
                'the fused ops for CUDA could not be built, so CUDA tensors '
                f'are served by eager PyTorch. Everything works. ({reason})'
            )

    return {
        'ext_modules': [extension],
        'cmdclass': {
            'build_ext': OptionalBuild,
            'build_cuda': BuildCuda,
            'bdist_wheel': Wheel,
        },
        'options': {'bdist_wheel': {'py_limited_api': 'cp310'}},
    }


setup(**extensions())
