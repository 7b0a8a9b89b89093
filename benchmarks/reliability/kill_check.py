"""Kills the runner at random moments and compares what it records.

    python -m benchmarks.reliability.kill_check --root $GMOE_DATA_ROOT/ogb

A few runs are done twice: undisturbed, and with the command or its worker
killed again and again. Both must record the same, but for the seconds and the
memory that they took.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.common.options import run
from benchmarks.common.place import Place, is_default
from benchmarks.common.record import ROOT, provenance, write_result
from benchmarks.reproduce import store
from benchmarks.reproduce.progress import Progress

TABLE = 'table2'
CELL = 'molfreesolv/tiny-gin'

#: The shortest time between two kills, in seconds.
SHORTEST = 0.2


def start(
    folder: Path, root: Path, *arguments: str, table: str = TABLE
) -> subprocess.Popen[str]:
    """Starts the runner in a process of its own.

    Args:
        folder: Where it shall write.
        root: The folder of the OGB datasets.
        *arguments: More arguments.
        table: The table.
    """
    return subprocess.Popen(
        [
            *(sys.executable, '-m', 'benchmarks.reproduce', table),
            *('--root', str(root), '--results', str(folder / 'results')),
            *('--runs', str(folder / 'runs'), '--accelerator', 'cpu'),
            *arguments,
        ],
        cwd=ROOT,
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def recorded(folder: Path) -> list[store.Record]:
    """The results, without what differs from one time to the next.

    Args:
        folder: Where the runner has written.
    """
    records = store.read(folder / 'results' / f'{TABLE}.jsonl')
    for record in records:
        record.pop('measured', None)
    return records


def kill(process: int | None) -> None:
    """Kills a process as kill -9 does, if it is there.

    Args:
        process: Its id.
    """
    assert process is not None
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def is_alive(process: int | None) -> bool:
    """Whether a process is there and not about to be collected.

    Args:
        process: Its id.
    """
    path = Path(f'/proc/{process}/stat')
    with suppress(FileNotFoundError):
        return path.read_text().rsplit(')')[-1].split()[0] != 'Z'
    return False


def disturb(
    folder: Path,
    root: Path,
    kills: int,
    longest: float,
    seed: int,
    *arguments: str,
) -> list[dict[str, Any]]:
    """Kills the runner or its worker at random moments, about half of them
    counted from when a run is under way, the others from the last kill; starts
    it again where that is needed, and lets it end after the last kill.

    Args:
        folder: Where the runner shall write.
        root: The folder of the OGB datasets.
        kills: How often to kill.
        longest: The longest time between two kills, in seconds.
        seed: The seed of moments and victims.
        *arguments: More arguments of the runner.

    Returns:
        Who was killed each time, whether in training, and how many epochs
        of all runs were done by then.

    Raises:
        RuntimeError: If the runner ends before the last kill, or fails.
    """
    draw = random.Random(seed)
    done: list[dict[str, Any]] = []
    process = start(folder, root, *arguments)
    try:
        while len(done) < kills:
            if draw.random() < 0.5:
                _wait_for_worker(folder, process)
            time.sleep(draw.uniform(SHORTEST, longest))
            if process.poll() == 0:
                raise RuntimeError(
                    f"'kills' must be fewer or 'epochs' more: all is done "
                    f'after {len(done)} kills'
                )
            if process.poll() is not None:  # It gave a run up; try again.
                process.communicate()
                process = start(folder, root, *arguments)
                continue
            progress = list(_progress(folder))
            workers = _workers(progress)
            victim = draw.choice(('runner', 'worker'))
            if victim == 'worker' and workers:
                kill(draw.choice(workers))
            else:
                victim = 'runner'
                process.kill()
                process.communicate()
                process = start(folder, root, *arguments)
            done.append(
                {
                    'killed': victim,
                    'in_training': bool(workers),
                    'epochs_done': sum(p.epochs for p in progress),
                }
            )
        output = process.communicate()[0]
    finally:
        process.kill()
    if process.returncode != 0:
        raise RuntimeError(f'the runner failed:\n{output}')
    return done


def main(
    root: Path = Path('data/ogb'),
    kills: int = 20,
    epochs: int = 400,
    seeds: int = 2,
    longest: float = 8.0,
    random_seed: int = 0,
    results: Path | None = None,
) -> None:
    """Kills the runner again and again and compares.

    Args:
        root: The folder of the OGB datasets.
        kills: How often to kill.
        epochs: The epochs of each run.
        seeds: The number of runs.
        longest: The longest time between two kills, in seconds.
        random_seed: The seed of moments and victims.
        results: The folder of the result file. (default: the committed
            ones for the default settings, one below ``runs`` for others)
    """
    good = is_default(main, locals())
    place = Place.choose('kill_check', good, results)
    arguments = (
        *('--cells', CELL, '--workers', '1'),
        *('--epochs', str(epochs), '--seeds', str(seeds)),
        # So that it goes on from checkpoints, not from the start.
        *('--save-seconds', '1'),
    )
    with TemporaryDirectory() as name:
        one, other = Path(name, 'undisturbed'), Path(name, 'killed')
        done = disturb(other, root, kills, longest, random_seed, *arguments)
        process = start(one, root, *arguments)
        output = process.communicate()[0]
        if process.returncode != 0:
            sys.exit(f'kill_check: the runner failed:\n{output}')
        found = [_same_command(recorded(folder)) for folder in (one, other)]
    digests = [_digest(records) for records in found]
    same = digests[0] == digests[1]
    result = {
        **provenance(),
        'runs': seeds,
        'epochs': epochs,
        'kills': done,
        'undisturbed': digests[0],
        'killed': digests[1],
        'same': same,
    }
    count = sum(kill['in_training'] for kill in done)
    print(f'{len(done)} kills, {count} in training; the same results: {same}')
    print(write_result(place.results, 'kill_check', result))
    if not same:
        sys.exit(
            'benchmarks.reliability.kill_check: the results differ in '
            f'{", ".join(_differences(*found)) or "their number"}'
        )


def _wait_for_worker(folder: Path, process: subprocess.Popen[str]) -> None:
    while process.poll() is None and not _workers(_progress(folder)):
        time.sleep(0.05)


def _workers(progress: Iterable[Progress]) -> list[int | None]:
    # Those that have begun to train.
    return [p.process for p in progress if is_alive(p.process)]


def _progress(folder: Path) -> Iterator[Progress]:
    for path in sorted((folder / 'runs').glob('*/*/progress.json')):
        yield Progress.read(path.parent)


def _same_command(records: list[store.Record]) -> list[store.Record]:
    # The two write to folders of their own, which the command names.
    return [{k: v for k, v in r.items() if k != 'command'} for r in records]


def _differences(
    one: list[store.Record], other: list[store.Record]
) -> list[str]:
    return sorted(
        {
            key
            for a, b in zip(one, other, strict=False)
            for key in {*a, *b}
            if a.get(key) != b.get(key)
        }
    )


def _digest(records: list[store.Record]) -> str:
    text = json.dumps(records, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


if __name__ == '__main__':
    try:
        run(main)
    except (RuntimeError, FileNotFoundError) as error:
        sys.exit(f'benchmarks.reliability.kill_check: error: {error}')
