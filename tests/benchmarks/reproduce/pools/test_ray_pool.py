"""Runs as tasks of a real, local Ray."""

import signal
from importlib.util import find_spec

import pytest

from tests.benchmarks.reproduce.command import (
    SMALL,
    finish,
    kill,
    read,
    start,
    wait_for,
)

needs_ray = pytest.mark.skipif(
    find_spec('ray') is None,
    reason="Ray is not installed: pip install 'gmoe[cluster]'",
)


@needs_ray
def test_lost_worker(data_root, tmp_path):
    arguments = (*SMALL, '--seeds', '2', '--epochs', '4', '--workers', '1')
    root = data_root / 'ogb'
    process = start(tmp_path, root, *arguments, '--ray', 'local')
    try:
        kill(wait_for(tmp_path, 1).process)
        output = finish(process)
    finally:
        process.send_signal(signal.SIGINT)
    assert process.returncode == 0, output
    *records, mean = read(tmp_path)
    assert mean['seeds'] == [0, 1]
    for record in records:
        assert [len(v) for v in record['curve'].values()] == [4] * 3
