"""Commands as processes that need not import everything anew.

A server imports what they share once, and each command is a fork of it:
python -m tests.processes
"""

from __future__ import annotations

import atexit
import functools
import importlib
import json
import os
import resource
import runpy
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


class Forked:
    """A command that runs, with what :class:`subprocess.Popen` offers.

    Args:
        pid: The process.
        status: The file that its end is written to.
    """

    def __init__(self, pid: int, status: Path) -> None:
        self.pid = pid
        self.status = status

    def poll(self) -> int | None:
        """The exit status, negative where a signal ended it."""
        return int(self.status.read_text()) if self.status.exists() else None

    def wait(self, timeout: float) -> int:
        """Waits for the end and returns the exit status."""
        end = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired(f'process {self.pid}', timeout)
            time.sleep(0.02)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@functools.cache
def _server() -> subprocess.Popen[str]:
    server = subprocess.Popen(
        [sys.executable, '-m', 'tests.processes'],
        cwd=ROOT,
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def end() -> None:
        server.communicate()  # It ends with its input.

    atexit.register(end)
    return server


def start(
    folder: Path,
    module: str,
    *arguments: object,
    stdin: str | Path = os.devnull,
    stdout: str = 'stdout',
    stderr: str = 'stderr',
    variables: dict[str, str] | None = None,
    largest_file: int | None = None,
) -> Forked:
    """Starts ``python -m MODULE ARGUMENTS`` in a folder and a session.

    Args:
        folder: The folder.
        module: The module.
        *arguments: Its arguments.
        stdin: The file that it reads.
        stdout: The file in the folder for what it prints.
        stderr: The file for its errors; may be the same.
        variables: More environment variables.
        largest_file: The size in bytes up to which it can write a file.
    """
    status = folder / f'.status-{time.monotonic_ns()}'
    server = _server()
    order = {
        'folder': str(folder),
        'argv': [module, *map(str, arguments)],
        'stdin': str(stdin),
        'files': [str(folder / stdout), str(folder / stderr)],
        'variables': variables or {},
        'largest_file': largest_file,
        'status': str(status),
    }
    assert server.stdin is not None
    assert server.stdout is not None
    print(json.dumps(order), file=server.stdin, flush=True)
    return Forked(int(server.stdout.readline()), status)


def _run(order: dict[str, Any]) -> None:
    os.setsid()
    os.chdir(order['folder'])
    os.environ.update(order['variables'])
    os.dup2(os.open(order['stdin'], os.O_RDONLY), 0)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for number, path in enumerate(order['files'], start=1):
        os.dup2(os.open(path, flags), number)
    if order['largest_file'] is not None:
        # As a full disk does, but for single files.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        sizes = (order['largest_file'],) * 2
        resource.setrlimit(resource.RLIMIT_FSIZE, sizes)
    # Where the tests run in the background, it is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = order['argv']
    sys.modules.pop(sys.argv[0], None)  # Else there is a warning.
    runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)


def serve() -> None:
    """Forks for each line of the input, and says how each fork ended."""
    for name in ('gmoe.cli', 'tests.training.tiny'):
        importlib.import_module(name)
    running: dict[int, str] = {}
    while True:
        if select.select([sys.stdin], [], [], 0.02)[0]:
            line = os.read(0, 2**20).decode()
            if not line:
                return
            for order in map(json.loads, line.splitlines()):
                pid = os.fork()
                if pid == 0:
                    _run(order)
                    return
                running[pid] = order['status']
                print(pid, flush=True)
        while running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            path = Path(running.pop(pid))
            partial = path.with_suffix('.partial-status')
            partial.write_text(str(os.waitstatus_to_exitcode(status)))
            partial.replace(path)


if __name__ == '__main__':
    serve()
