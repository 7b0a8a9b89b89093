"""The emulator: it runs what is right, and finds what is wrong."""

import re

import pytest

from tests.cuda import build
from tests.cuda.faults import SEEDS

#: The sums that the kernels without a fault must give.
RIGHT = {
    'right: barrier': 8128,
    'right: warp meets': 2016,
    'right: votes': 64,
    'right: lanes': 64 * 496,
    'right: atomic': 2016,
    'right: dynamic': 192,
    'right: beside': 192,
}

#: What must be said of those with one, whatever the order of the threads.
WRONG = {
    'missing barrier': r"'turn', block .* that no thread has written",
    'missing meeting of a warp': r"'hand_on', .* that no thread has written",
    'read behind a tensor': r'\(2, 0, 0\), thread \(0, 0, 0\): reads 4 bytes '
    'that belong to no tensor',
    'write behind a tensor': 'writes 4 bytes that belong to no tensor',
    'write behind shared memory': 'writes 4 bytes beside an array in shared',
    'wrong stride': 'another thread has written, with no barrier',
    'unwritten shared memory': 'that no thread has written',
    'barriers apart': r'waits at .*faults.cu:\d+ for ever: thread .* waits at',
    'left before the barrier': 'for ever: thread .* has ended',
    'lanes that do not come': 'for ever: thread .* has ended',
    'lanes that are not there': 'names other lanes than there are',
    'source that is not among the lanes': 'a source that is among the lanes',
    'not aligned': 'uses memory that is not aligned for its type',
    'index beyond a local array': 'has an index beyond its array',
    'memory of the host': 'reads 4 bytes on the stack of the host',
    'assertion': r'asks for: in\[threadIdx.x\] < 10',
    'sum without atomics': 'another thread has (read|written)',
    'too many threads': r'\(2048, 1, 1\) threads',
    'too many bytes': '1048576 bytes of shared memory',
}


@pytest.fixture(scope='module')
def found(emulator, tmp_path_factory):
    folder = tmp_path_factory.mktemp('faults')
    library = build.build_plain(build.EMULATOR / 'faults.cu', folder)
    return build.found_by('tests.cuda.faults', library)


def test_all_kernels_are_looked_at(found):
    assert found.keys() == RIGHT.keys() | WRONG.keys()


@pytest.mark.parametrize('name', RIGHT)
def test_right_kernels(found, name):
    assert found[name] == [['', RIGHT[name]]] * SEEDS


@pytest.mark.parametrize('name', WRONG)
def test_wrong_kernels(found, name):
    for said, _ in found[name]:
        assert re.search(WRONG[name], said), said


def test_rewrite():
    source = build.rewrite(
        'template <typename T>\n__global__ void __launch_bounds__(kThreads)\n'
        '    add(const T* (*f)(int), int n) {\n'
        '  __shared__ Tile<T> a, b[2];\n'
        '  extern __shared__ float c[];\n'
        '  assert(n > 0);\n  static_assert(true);\n}\n'
        'void run() { add<float><<<grid, block, 0, stream>>>(f, 1); }\n'
        'STABLE_TORCH_LIBRARY_IMPL(gmoe, CUDA, m) {}\n',
        'other',
    )
    source = ' '.join(source.split())
    assert '{ ::emulator::enter("add");' in source
    assert 'typedef Tile<T> b_t[2];' in source
    assert 'float* const c = static_cast<float*>' in source
    assert 'EMULATOR_ASSERT(n > 0)' in source
    assert 'static_assert(true)' in source
    assert '::emulator::launch(add<float>, grid, block, 0, stream, f' in (
        source
    )
    assert 'STABLE_TORCH_LIBRARY_IMPL(other, CPU, m)' in source


def test_changes_must_be_there(emulator, tmp_path):
    with pytest.raises(ValueError, match=r"'cuda/tile.h' must hold 'nothing'"):
        build.build(tmp_path, [], {'cuda/tile.h': ('nothing', '')})
    with pytest.raises(ValueError, match='no.h'):
        build.build(tmp_path, [], {'no.h': ('a', 'b')})
