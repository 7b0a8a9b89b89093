"""Processes that are forked from one that has imported what they need."""

import os
import time
from pathlib import Path

from tests.benchmarks.reproduce.command import (
    SMALL,
    finish,
    is_alive,
    kill,
    read,
    start,
    wait_for,
)


def arguments(epochs, threads):
    numbers = {'seeds': 1, 'workers': 1, 'threads': threads, 'epochs': epochs}
    pairs = ((f'--{name}', str(number)) for name, number in numbers.items())
    return (*SMALL, *(word for pair in pairs for word in pair))


def server_of(worker):
    """The process that has forked another."""
    stat = Path(f'/proc/{worker}/stat').read_text()
    return int(stat.rsplit(')')[-1].split()[1])


def open_files(process):
    folder = Path(f'/proc/{process}/fd')
    return [os.readlink(path) for path in folder.iterdir()]


def assert_ends(process):
    end = time.monotonic() + 20
    while is_alive(process):
        assert time.monotonic() < end
        time.sleep(0.1)


def test_all_end_with_the_runner(data_root, tmp_path):
    runner = start(tmp_path, data_root / 'ogb', *arguments(1000, 2))
    try:
        worker = wait_for(tmp_path, 1).process
        server = server_of(worker)
        # A fork would leave threads behind, and a GPU cannot be used in one.
        assert len(os.listdir(f'/proc/{server}/task')) == 1
        files = open_files(server)
        assert not any(file.startswith('/dev/nvidia') for file in files)
        # What a run needs is there already.
        assert 'benchmarks.reproduce.pools.preload' in command_line(server)
        assert 'libtorch' in Path(f'/proc/{server}/maps').read_text()
    finally:
        kill(runner.pid)
    finish(runner)
    assert_ends(worker)
    assert_ends(server)


def command_line(process):
    return Path(f'/proc/{process}/cmdline').read_text()


def test_server_is_lost(data_root, tmp_path):
    runner = start(tmp_path, data_root / 'ogb', *arguments(8, 1))
    try:
        worker = wait_for(tmp_path, 1).process
        kill(server_of(worker))
        assert_ends(worker)
        output = finish(runner)
    finally:
        kill(runner.pid)
    assert 'the server of processes ended; it goes on' in output
    assert runner.returncode == 0, output
    (record,) = read(tmp_path)
    assert [len(values) for values in record['curve'].values()] == [8] * 3
