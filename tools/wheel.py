"""Builds the wheel, and keeps none that lacks its compiled library.

    python -m tools.wheel
    python -m tools.wheel --folder /tmp/wheels

The source archive is made first and the wheel from it, so that neither leans
on what an earlier build left in the checkout.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from benchmarks.common.options import run
from benchmarks.common.record import ROOT

#: What a wheel must hold, and what is wrong where it does not.
NEEDED = {
    'gmoe/_C.so': 'the compiler made no library of fused ops',
    'gmoe/py.typed': 'type checkers would not see its types',
    **dict.fromkeys(
        (
            f'gmoe/molecules/configs/{path.name}'
            for path in (ROOT / 'gmoe/molecules/configs').glob('*.yaml')
        ),
        "'gmoe fit my.csv' would have no settings",
    ),
}


def check(path: Path) -> None:
    """Refuses a wheel that is not what is published.

    Raises:
        ValueError: If the library or ``py.typed`` is not inside, if sources of
            the library are, or if the tag is not that of the stable ABI.
    """
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
    for name, consequence in NEEDED.items():
        if name not in names:
            raise ValueError(f"'{path.name}' has no '{name}': {consequence}")
    foreign = [
        name
        for name in names
        if not name.startswith(('gmoe/', 'gmoe-')) or '/csrc/' in name
    ]
    if foreign:
        raise ValueError(
            f"'{path.name}' should not hold {', '.join(map(repr, foreign))}"
        )
    if '-cp310-abi3-' not in path.name or path.stem.endswith('-any'):
        raise ValueError(
            f"the tag of '{path.name}' should be 'cp310-abi3' and a platform"
        )


def build(folder: Path) -> Path:
    """Builds the source archive and the wheel.

    Args:
        folder: Where both go, if the wheel is complete.

    Returns:
        The wheel.

    Raises:
        SystemExit: If a build fails or the wheel is refused; what the compiler
            said comes before the reason.
    """
    with tempfile.TemporaryDirectory() as name:
        # The list of files in an older egg-info would be taken over.
        _setup(ROOT, 'egg_info', '-e', name, 'sdist', '-d', name)
        (archive,) = Path(name).glob('gmoe-*.tar.gz')
        shutil.unpack_archive(archive, name)
        source = Path(name, archive.name.removesuffix('.tar.gz'))
        said = _setup(source, 'bdist_wheel', '-d', name)
        (wheel,) = Path(name).glob('gmoe-*.whl')
        try:
            check(wheel)
        except ValueError as error:
            raise SystemExit(f'{said}\nRefused: {error}') from None
        folder.mkdir(parents=True, exist_ok=True)
        for path in (archive, wheel):
            shutil.copy(path, folder)
    return folder / wheel.name


def _setup(source: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', 'setup.py', '-q', *arguments],
        cwd=source,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f'{done.stdout}\nFailed: {shlex.join(done.args)}')
    return done.stdout


def main(folder: Path = ROOT / 'dist') -> None:
    """Builds the wheel.

    Args:
        folder: Where the wheel and the source archive go.
    """
    print(build(folder))


if __name__ == '__main__':
    run(main)
