"""Faults in the kernels themselves are found."""

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
    return build.found_by('tests.cuda.mutants', folder)


@pytest.mark.parametrize('name', MUTANTS)
def test_mutant(found, name):
    said = found[name]
    assert len(said) == SEEDS
    if name == 'none':
        assert said == [''] * SEEDS
        return
    assert all(MUTANTS[name].said in one for one in said), said
