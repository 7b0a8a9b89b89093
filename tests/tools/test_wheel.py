"""What is a wheel that can be published, and what is not."""

import os
import shutil
import subprocess
import sys
import zipfile

import pytest

from benchmarks.common.record import ROOT
from tools.wheel import NEEDED, check

TAG = 'cp310-abi3-linux_x86_64'


def make(folder, names, tag=TAG):
    """A wheel of empty files."""
    path = folder / f'gmoe-0.1.0-{tag}.whl'
    with zipfile.ZipFile(path, 'w') as wheel:
        for name in ['gmoe/__init__.py', 'gmoe-0.1.0.dist-info/WHEEL', *names]:
            wheel.writestr(name, '')
    return path


def test_check(tmp_path):
    check(make(tmp_path, NEEDED))


@pytest.mark.parametrize('lost', NEEDED)
def test_lost_file(lost, tmp_path):
    names = [name for name in NEEDED if name != lost]
    with pytest.raises(ValueError, match=f"has no '{lost}': {NEEDED[lost]}"):
        check(make(tmp_path, names))


@pytest.mark.parametrize('name', ['gmoe/csrc/a.cpp', 'tests/__init__.py'])
def test_foreign_file(name, tmp_path):
    with pytest.raises(ValueError, match=f"should not hold '{name}'"):
        check(make(tmp_path, [*NEEDED, name]))


@pytest.mark.parametrize(
    'tag', ['py3-none-any', 'cp311-cp311-linux_x86_64', 'cp310-abi3-any']
)
def test_tag(tag, tmp_path):
    with pytest.raises(ValueError, match="should be 'cp310-abi3'"):
        check(make(tmp_path, NEEDED, tag))


def test_no_compiler_no_abi_tag(tmp_path):
    source = tmp_path / 'source'
    shutil.copytree(
        ROOT / 'gmoe',
        source / 'gmoe',
        ignore=shutil.ignore_patterns('*.so', '__pycache__'),
    )
    for name in ('setup.py', 'setup.cfg', 'README.md', 'LICENSE'):
        shutil.copy(ROOT / name, source)
    done = subprocess.run(
        [sys.executable, 'setup.py', '-q', 'bdist_wheel', '-d', str(tmp_path)],
        cwd=source,
        env={**os.environ, 'CC': 'false', 'CXX': 'false'},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert 'could not be built' in done.stderr
    (wheel,) = tmp_path.glob('*.whl')
    assert wheel.name.endswith('-py3-none-any.whl')
    with pytest.raises(ValueError, match='made no library'):
        check(wheel)
