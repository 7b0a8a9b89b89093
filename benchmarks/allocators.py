"""What an epoch takes with other allocators of memory.

    python -m benchmarks.allocators --root $GMOE_DATA_ROOT/ogb

Trains a network of a table in a process per way, two epochs of each in turns:
with glibc as it is, with glibc made to keep what is freed, with jemalloc, as
``benchmarks.reproduce`` does it where jemalloc is there, and with jemalloc and
room for all kernels that oneDNN makes. The second epoch counts, as memory is
given back while the others have their turns. The numbers that the networks
learn are the same. Makes its table in ``docs/performance.md``.
"""

from __future__ import annotations

import statistics
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from jsonargparse import auto_cli

from benchmarks import markdown
from benchmarks.memory import keep_freed_memory, process_memory
from benchmarks.record import RESULTS, ROOT, provenance, write_result
from benchmarks.reproduce.run import Run
from benchmarks.reproduce.tables import Cell, load_table
from benchmarks.reproduce.variables import (
    allocator,
    allocator_variables,
    variables_set,
    worker_variables,
)
from benchmarks.reproduce.work import Job

NAME = 'benchmarks.allocators'

#: Batches differ in their number of nodes, and oneDNN writes a kernel for each
#: shape. It keeps 1024 of them by default; a run has some thousand.
_ALL_KERNELS = {'ONEDNN_PRIMITIVE_CACHE_CAPACITY': '8192'}


@dataclass(frozen=True)
class Way:
    """How a process takes its memory.

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
        """The environment variables of the process.

        Args:
            threads: The number of threads.
        """
        variables = worker_variables(threads)
        if self.jemalloc:
            variables |= allocator_variables()
        return variables | (_ALL_KERNELS if self.kernels else {})


WAYS = [
    Way('glibc'),
    Way('glibc, which keeps what is freed', keep=True),
    Way('jemalloc', jemalloc=True),
    Way('jemalloc, and all kernels are kept', jemalloc=True, kernels=True),
]


def main(
    root: Path = Path('data/ogb'),
    table_name: str = 'table1',
    dataset: str = 'moltox21',
    rows: list[str] | None = None,
    epochs: int = 20,
    threads: int = 1,
    results: Path = RESULTS,
    docs: Path = ROOT / 'docs',
) -> None:
    """Measures, records and makes the table.

    Args:
        root: The folder of the OGB datasets.
        table_name: The table whose cells are trained.
        dataset: The dataset.
        rows: The rows of the table; GCN and GMoE-GCN if not given.
        epochs: The number of turns; those of the second half count.
        threads: The number of threads.
        results: The folder of the result file.
        docs: The folder of ``performance.md``.
    """
    if epochs < 2 or threads < 1:
        raise SystemExit(
            f"'epochs' must be at least 2 and 'threads' at least 1, got "
            f'{epochs} and {threads}'
        )
    ways = [way for way in WAYS if not way.jemalloc or allocator_variables()]
    cells = load_table(table_name).select(
        rows or ['gcn', 'gmoe-gcn'], [dataset]
    )
    record = {
        **provenance(),
        'dataset': f'ogbg-{dataset}',
        'epochs': epochs,
        'threads': threads,
        'rows': [
            row
            for cell in cells
            for row in _measure(cell, ways, root, epochs, threads)
        ],
    }
    print(f'Wrote {write_result(results, "allocators", record)}')
    markdown.update([docs / 'performance.md'], NAME, table(record))


def _measure(
    cell: Cell, ways: list[Way], root: Path, epochs: int, threads: int
) -> list[dict[str, Any]]:
    results: list[list[dict[str, Any]]] = [[] for _ in ways]
    with ExitStack() as stack:
        processes = [
            stack.enter_context(_process(way, cell, root, threads))
            for way in ways
        ]
        for _ in range(epochs):
            for result, process in zip(results, processes, strict=True):
                result.append(process.submit(_epoch).result())
            seconds = [round(result[-1]['seconds'], 2) for result in results]
            print(f'{cell.name}: seconds per epoch {seconds}', flush=True)
    return [
        {
            'model': cell.label,
            'way': way.label,
            'allocator': result[-1]['allocator'],
            'seconds': [epoch['seconds'] for epoch in result],
            'bytes': result[-1]['bytes'],
            'loss': result[-1]['loss'],
        }
        for way, result in zip(ways, results, strict=True)
    ]


def _process(
    way: Way, cell: Cell, root: Path, threads: int
) -> ProcessPoolExecutor:
    pool = ProcessPoolExecutor(
        1, get_context('spawn'), _prepare, (way, cell, root, threads)
    )
    with variables_set(way.variables(threads)):
        pool.submit(allocator).result()  # It is started here.
    return pool


# What a process has made to train with.
_trained: list[Any] = []


def _prepare(way: Way, cell: Cell, root: Path, threads: int) -> None:
    import logging

    import torch
    from lightning.pytorch import seed_everything

    from benchmarks.reproduce.network import make_model
    from gmoe.training import OGBMolDataModule

    if way.keep:
        keep_freed_memory()
    torch.set_num_threads(threads)
    seed_everything(0, workers=True, verbose=False)
    logging.getLogger('lightning.pytorch').setLevel(logging.WARNING)
    data = OGBMolDataModule(
        f'ogbg-{cell.dataset}', root, download=False, **cell.settings['data']
    )
    model = make_model(Job(Run(cell, 0), root, root, ''), data)
    _trained[:] = model, data


def _epoch() -> dict[str, Any]:
    from benchmarks.epoch_profile import profiled_epoch

    model, data = _trained
    profiled_epoch(model, data)
    seconds = profiled_epoch(model, data)['epoch']
    return {
        'seconds': seconds,
        'loss': float(model.trainer.callback_metrics['val/loss']),
        'bytes': process_memory('VmRSS'),
        'allocator': allocator(),
    }


def table(record: dict[str, Any]) -> str:
    """The rows as a Markdown table, with how they were measured.

    Args:
        record: The result.
    """
    threads = record['threads']
    half = record['epochs'] // 2
    header = [
        f'{record["dataset"]}, {threads} thread{"s" if threads > 1 else ""}',
        'memory',
        'seconds per epoch',
        'ratio',
        'GB in the end',
    ]
    lines = []
    for row in record['rows']:
        first = next(r for r in record['rows'] if r['model'] == row['model'])
        ratios = [
            a / b
            for a, b in zip(row['seconds'], first['seconds'], strict=True)
        ]
        lines.append(
            [
                row['model'],
                row['way'],
                f'{statistics.median(row["seconds"][half:]):.2f}',
                f'{statistics.median(ratios[half:]):.2f}',
                f'{row["bytes"] / 1e9:.1f}' if row['bytes'] else '–',
            ]
        )
    note = (
        f'Medians of rounds {half + 1} to {record["epochs"]}, the ratios '
        f'within each round; {record["processor"]}, PyTorch '
        f'{record["environment"]["torch"]}.'
    )
    return f'{markdown.table(header, lines)}\n\n{note}'


if __name__ == '__main__':
    auto_cli(main, as_positional=False)
