"""Faults in the kernels themselves are found."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from gmoe.ops import AVAILABLE
from tests.cuda import build
from tests.cuda.mutants import MUTANTS, SEEDS


@pytest.fixture(scope='module')
def found(emulator, tmp_path_factory):
    if not AVAILABLE:
        pytest.skip('the fused ops are not built, whose schemas are needed')
    folder = tmp_path_factory.mktemp('mutants')

    def make(name: str) -> None:
        mutant = MUTANTS[name]
        build.build(
            folder,
            [mutant.source, 'check.cu'],
            mutant.changes(),
            name,
        )

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(make, MUTANTS))
    done = subprocess.run(
        [sys.executable, '-m', 'tests.cuda.mutants', str(folder)],
        cwd=build.ROOT,
        env=build.environment(),
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize('name', MUTANTS)
def test_mutant(found, name):
    said = found[name]
    assert len(said) == SEEDS
    if name == 'none':
        assert said == [''] * SEEDS
        return
    assert all(MUTANTS[name].said in one for one in said), said
