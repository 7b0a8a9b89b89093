"""Measures time and memory of a run with other allocators of memory.

    python -m benchmarks.speed.allocators --root $GMOE_DATA_ROOT/ogb

Trains networks of a table, each from its start in a process of its own, as
``benchmarks.reproduce`` trains them: with glibc as it is, with glibc made to
keep what is freed, as it is there, and, where the system has it, with jemalloc
and with jemalloc and room for all kernels that oneDNN makes. Whole runs, as a
heap breaks up only with time; their ways take turns. The numbers that the
networks learn are the same. Makes its table in ``docs/performance.md``.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from ctypes.util import find_library
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.common import markdown
from benchmarks.common.memory import keep_freed_memory
from benchmarks.common.options import at_least_one, run
from benchmarks.common.place import Place, is_default
from benchmarks.common.record import provenance
from benchmarks.reproduce.job import Job
from benchmarks.reproduce.pools.variables import (
    variables_set,
    worker_variables,
)
from benchmarks.reproduce.run import Run
from benchmarks.reproduce.tables import Cell, load_table

NAME = 'benchmarks.speed.allocators'

#: Batches differ in their number of nodes, and oneDNN writes a kernel for each
#: shape. It keeps 1024 of them by default; a run has some thousand.
_ALL_KERNELS = {'ONEDNN_PRIMITIVE_CACHE_CAPACITY': '8192'}

# What is freed is kept for half a minute, as the next batch or the next epoch
# takes it again, of any size. For good, it would break up over many epochs.
_JEMALLOC = 'dirty_decay_ms:30000,muzzy_decay_ms:0,oversize_threshold:0'


@dataclass(frozen=True)
class Way:
    """A way in which a process takes its memory.

    Args:
        label: What the table calls it.
        jemalloc: Whether it is taken from jemalloc.
        keep: Whether glibc is told to keep what is freed.
        kernels: Whether all of oneDNN's kernels are kept.
    """

    label: str
    jemalloc: bool = False
    keep: bool = False
    kernels: bool = False

    def variables(self, threads: int) -> dict[str, str]:
        """The environment variables of the process."""
        variables = worker_variables(threads)
        if self.jemalloc:
            variables |= _jemalloc()
        return variables | (_ALL_KERNELS if self.kernels else {})


WAYS = [
    Way('glibc'),
    Way('glibc, which keeps what is freed', keep=True),
    Way('jemalloc', jemalloc=True),
    Way('jemalloc, and all kernels are kept', jemalloc=True, kernels=True),
]


def _jemalloc() -> dict[str, str]:
    library = find_library('jemalloc') if sys.platform == 'linux' else None
    if library is None:
        return {}
    return {'LD_PRELOAD': library, 'MALLOC_CONF': _JEMALLOC}


def main(
    root: Path = Path('data/ogb'),
    table_name: str = 'table1',
    dataset: str = 'molbbbp',
    rows: list[str] | None = None,
    epochs: int = 40,
    rounds: int = 2,
    threads: int = 1,
    results: Path | None = None,
    docs: Path | None = None,
) -> None:
    """Measures, records and makes the table.

    Args:
        root: The folder of the OGB datasets.
        table_name: The table whose cells are trained.
        dataset: The dataset.
        rows: The rows of the table; GCN and GMoE-GCN if not given.
        epochs: The number of epochs of a run.
        rounds: The number of runs of each way.
        threads: The number of threads.
        results: The folder of the result file. (default: the committed
            ones for the default settings, one below ``runs`` for others)
        docs: The folder of ``performance.md``. (default: the documentation for
            committed results, the folder of results for others)
    """
    good = is_default(main, locals())
    place = Place.choose('allocators', good, results, docs)
    at_least_one(epochs=epochs, rounds=rounds, threads=threads)
    ways = [way for way in WAYS if not way.jemalloc or _jemalloc()]
    cells = load_table(table_name, epochs).select(
        rows or ['gcn', 'gmoe-gcn'], [dataset]
    )
    measured = [
        row
        for cell in cells
        for row in _measure(cell, ways, root, rounds, threads)
    ]
    record = {
        **provenance(),
        'dataset': f'ogbg-{dataset}',
        'epochs': epochs,
        'rounds': rounds,
        'threads': threads,
        'rows': measured,
    }
    place.publish(record, 'performance.md', NAME, table(record))


def _measure(
    cell: Cell, ways: list[Way], root: Path, rounds: int, threads: int
) -> list[dict[str, Any]]:
    runs: list[list[dict[str, Any]]] = [[] for _ in ways]
    for _ in range(rounds):
        for way, found in zip(ways, runs, strict=True):
            found.append(_run(cell, way, root, threads))
            seconds = found[-1]['seconds']
            print(f'{cell.name}, {way.label}: {seconds:.1f} s', flush=True)
    return [
        {'model': cell.label, 'way': way.label, 'runs': found}
        for way, found in zip(ways, runs, strict=True)
    ]


def _run(cell: Cell, way: Way, root: Path, threads: int) -> dict[str, Any]:
    with (
        tempfile.TemporaryDirectory() as runs,
        variables_set(way.variables(threads)),
        ProcessPoolExecutor(1, get_context('spawn')) as pool,
    ):
        job = Job(
            *(Run(cell, 0), root, Path(runs), ''),
            threads=threads,
            accelerator='cpu',
            save_seconds=10.0,
        )
        return pool.submit(_train, job, way.keep).result()


def _train(job: Job, keep: bool) -> dict[str, Any]:
    import logging

    import torch

    from benchmarks.reproduce.kinds import network

    logging.getLogger('lightning.pytorch').setLevel(logging.WARNING)
    if keep:
        keep_freed_memory()
    torch.set_num_threads(job.threads)
    job.folder.mkdir(parents=True)
    result = network.train(job)
    return {
        **result['measured'],
        'preloaded': Path(os.environ.get('LD_PRELOAD', '')).name,
        'loss': result['curve']['train_loss'][-1],
    }


def table(record: dict[str, Any]) -> str:
    """The rows as a Markdown table, with how they were measured."""
    threads, rounds = record['threads'], record['rounds']
    header = [
        f'{record["dataset"]}, {threads} thread{"s" if threads > 1 else ""}',
        'memory',
        'seconds per epoch',
        'ratio',
        'peak, GB',
    ]
    lines = []
    for row in record['rows']:
        first = next(r for r in record['rows'] if r['model'] == row['model'])
        ratios = [
            a['seconds'] / b['seconds']
            for a, b in zip(row['runs'], first['runs'], strict=True)
        ]
        seconds = statistics.median(run['seconds'] for run in row['runs'])
        peak = max(run['peak_memory'] for run in row['runs'])
        lines.append(
            [
                row['model'],
                row['way'],
                f'{seconds / record["epochs"]:.2f}',
                ' to '.join(
                    dict.fromkeys(
                        f'{ratio:.2f}' for ratio in (min(ratios), max(ratios))
                    )
                ),
                f'{peak / 1e9:.1f}',
            ]
        )
    note = (
        f'{rounds} run{"s" if rounds > 1 else ""} of {record["epochs"]} '
        f'epochs each, with their validation; the median, and the least and '
        f'the greatest ratio within a round; {record["processor"]}, PyTorch '
        f'{record["environment"]["torch"]}.'
    )
    return f'{markdown.table(header, lines)}\n\n{note}'


if __name__ == '__main__':
    run(main, as_positional=False)
