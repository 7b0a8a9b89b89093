"""Processes that download at once, or are killed while they write.

    python -m tests.datasets.download_race --pairs 20 --kills 20

All of it is real: processes, signals, and a server on this machine, which
sends archives slowly, for downloads to overlap.
"""

import argparse
import multiprocessing
import os
import random
import signal
import tempfile
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import torch

from gmoe.datasets import OGBMolDataset, WebNLGDataset
from gmoe.datasets.cache import TensorCache
from gmoe.datasets.ogb.info import ogb_mol_info
from tests.datasets.conftest import TABLES, write_tables
from tests.datasets.webnlg_files import write_release

NAME = 'ogbg-moltox21'
fork: Any = multiprocessing.get_context('fork')


def write_archives(folder: Path) -> Path:
    """Writes an archive of each dataset."""
    inner = ogb_mol_info(NAME).download_name
    write_tables(folder / 'ogb' / inner, TABLES)
    write_release(folder / 'webnlg' / 'webnlg-dataset')
    for name in ('ogb', 'webnlg'):
        with zipfile.ZipFile(folder / f'{name}.zip', 'w') as archive:
            for file in sorted((folder / name).rglob('*.*')):
                if file.is_file():
                    archive.write(file, file.relative_to(folder / name))
    return folder


@contextmanager
def slow_server(folder: Path, seconds: float) -> Iterator[str]:
    """A server that takes some seconds for each archive of a folder."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = (folder / self.path[1:]).read_bytes()
            asked = self.headers.get('Range')
            start = int(asked[6:-1]) if asked else 0
            self.send_response(206 if start else 200)
            self.send_header('Content-Length', str(len(content) - start))
            self.end_headers()
            step = len(content) // 10 + 1
            for i in range(start, len(content), step):
                self.wfile.write(content[i : i + step])
                self.wfile.flush()
                time.sleep(seconds / 10)

        def log_message(self, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *args: object) -> None:
            pass  # Clients that were killed.

    with Server(('127.0.0.1', 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f'http://127.0.0.1:{server.server_port}'
        server.shutdown()
        thread.join()


def get(name: str, root: Path, url: str) -> int:
    """Gets one of the datasets, and returns how many graphs it has."""
    if name == 'ogb':
        url = f'{url}/ogb.zip'
        return len(OGBMolDataset(NAME, root, url=url, log=False))
    return len(
        WebNLGDataset(
            root, dim=8, url=f'{url}/webnlg.zip', verify=False, log=False
        )
    )


NUM_GRAPHS = {'ogb': 3, 'webnlg': 9}
#: All that is there in the end, but for what is made of the download.
FILES = {
    'ogb': {'ogbg_moltox21'},
    'webnlg': {'webnlg-dataset-587fa698bec705efbefe72a235a6019c2b9b8b6c.zip'},
}


def start(call: Callable[..., object], *arguments: Any) -> Any:
    """Starts a process that ends with 0 if the call returns."""
    process = fork.Process(target=_quiet, args=(call, *arguments))
    process.start()
    return process


def _quiet(call: Callable[..., object], *arguments: Any) -> None:
    try:
        call(*arguments)
    except BaseException as error:
        print(f'{error!r:.300}', flush=True)
        os._exit(1)
    os._exit(0)


def race(name: str, root: Path, url: str, number: int = 2) -> int:
    """Lets processes get a dataset at once; returns how many failed."""
    barrier = fork.Barrier(number)

    def run() -> None:
        barrier.wait(60)
        assert get(name, root, url) == NUM_GRAPHS[name]

    processes = [start(run) for _ in range(number)]
    for process in processes:
        process.join(120)
    failed = sum(process.exitcode != 0 for process in processes)
    assert {path.name for path in root.iterdir()} == FILES[name]
    return failed


def kill(name: str, root: Path, url: str, delay: float) -> bool:
    """Kills a process that gets a dataset, and gets it here.

    Returns:
        Whether the process had left something behind.
    """
    process = start(get, name, root, url)
    time.sleep(delay)
    os.kill(process.pid, signal.SIGKILL)
    process.join(60)
    left = root.exists() and any(p.name[0] == '.' for p in root.iterdir())
    assert get(name, root, url) == NUM_GRAPHS[name]
    assert {path.name for path in root.iterdir()} == FILES[name]
    return left


def kill_save(folder: Path) -> bool:
    """Kills a process while it writes a cache, and reads it here.

    Returns:
        Whether the process had left something behind.
    """
    own = folder / 'processed'
    own.mkdir(parents=True)
    tensors = {'x': torch.ones(4_000_000)}
    process = start(TensorCache(folder, 'a' * 64).save, tensors)
    end = time.monotonic() + 60
    while not any(own.iterdir()) and time.monotonic() < end:
        time.sleep(0.0005)
    os.kill(process.pid, signal.SIGKILL)
    process.join(60)
    left = any(path.name.startswith('.gmoe.pt-') for path in own.iterdir())
    out = TensorCache(folder, 'a' * 64).load()
    assert out is None or torch.equal(out['x'], tensors['x'])
    assert {path.name for path in own.iterdir()} <= {'gmoe.pt'}
    return left


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--pairs', type=int, default=20)
    parser.add_argument('--kills', type=int, default=20)
    arguments = parser.parse_args()
    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as path:
        folder = write_archives(Path(path))
        os.environ['GMOE_CACHE_DIR'] = str(folder / 'cache')
        left = sum(
            kill_save(folder / 'saves' / str(i))
            for i in range(arguments.kills)
        )
        print(f'cache: {arguments.kills} killed, {left} with something left')
        with slow_server(folder, 0.2) as url:
            for name in NUM_GRAPHS:
                counts: Counter[str] = Counter()
                for i in range(arguments.pairs):
                    counts['failed'] += race(name, folder / f'{name}{i}', url)
                    counts['processes'] += 2
                print(f'{name}, pairs at once: {dict(counts)}', flush=True)
                left = sum(
                    kill(
                        name, folder / f'{name}-{i}', url, rng.uniform(0, 0.4)
                    )
                    for i in range(arguments.kills)
                )
                print(
                    f'{name}: {arguments.kills} killed, {left} of them with '
                    f'something left, all of it gone after the next run',
                    flush=True,
                )


if __name__ == '__main__':
    main()
