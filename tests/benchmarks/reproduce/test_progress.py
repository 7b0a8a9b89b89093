"""How far a run is, whatever is left of the file."""

import pytest

from benchmarks.reproduce.job import RESULT, read_object
from benchmarks.reproduce.progress import Progress

CUT_OFF = [
    b'',
    b'{',
    b'{"epochs": 3, "sec',
    b'\x00' * 40,
    b'\xff',
    b'[]',
    b'3',
]


def test_written(tmp_path):
    assert Progress.read(tmp_path) == Progress()
    Progress(3, 2.5, 7).write(tmp_path)
    assert Progress.read(tmp_path) == Progress(3, 2.5, 7)


@pytest.mark.parametrize(
    'content',
    [
        *CUT_OFF,
        b'{}',
        b'{"epochs": "3", "seconds": 1.0, "process": 7}',
        b'{"epochs": 3, "seconds": null, "process": 7}',
        b'[' * 100_000,
    ],
)
def test_cut_off(tmp_path, content):
    (tmp_path / 'progress.json').write_bytes(content)
    assert Progress.read(tmp_path) == Progress()


@pytest.mark.parametrize('content', [*CUT_OFF, b'{}'])
def test_result_that_was_cut_off(tmp_path, content):
    (tmp_path / RESULT).write_bytes(content)
    assert read_object(tmp_path / RESULT) is None
    (tmp_path / RESULT).write_bytes(b'{"metric": "rmse"}')
    assert read_object(tmp_path / RESULT) == {'metric': 'rmse'}
