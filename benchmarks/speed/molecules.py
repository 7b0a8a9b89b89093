"""Milliseconds to train on a molecule, beside chemprop.

    python -m benchmarks.speed.molecules --root $GMOE_DATA_ROOT/ogb

In turns, chemprop trains some epochs by its own command with its defaults,
and the networks for one's own molecules as ``benchmarks.reproduce`` trains
them. The first epoch of each turn warms up. An epoch has its batches, losses
and steps, and no validation. The seconds of the processor, which others that
run at the time disturb less, are recorded beside those of the clock. Makes its
table in ``docs/performance.md``.
"""

from __future__ import annotations

import gc
import logging
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import lightning.pytorch
import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from benchmarks.common import markdown
from benchmarks.common.options import at_least_one, run
from benchmarks.common.place import Place, is_default
from benchmarks.common.record import provenance
from benchmarks.reproduce import kinds
from benchmarks.reproduce.job import Job
from benchmarks.reproduce.kinds import fitting
from benchmarks.reproduce.run import Run
from benchmarks.reproduce.tables import Cell, load_table
from gmoe.datasets import OGBMolDataset

NAME = 'benchmarks.speed.molecules'

#: The rows of the table ``molecules`` that are timed, chemprop first.
ROWS = ('chemprop', 'chemprop-rdkit-2d', 'default', 'single', 'fast')

#: The epochs of a turn; chemprop's schedule needs more than two.
EPOCHS = 3


class TrainClock(Callback):
    """The seconds of each epoch without its validation: of the clock, and of
    the process on all processors."""

    def __init__(self) -> None:
        self.epochs: list[tuple[float, float]] = []
        self._start = (0.0, 0.0)
        self._last = (0.0, 0.0)

    def on_train_epoch_start(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> None:
        self._start = _now()

    def on_train_batch_end(
        self, trainer: Trainer, *args: Any, **kwargs: Any
    ) -> None:
        self._last = _now()

    def on_train_epoch_end(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> None:
        clock, process = (b - a for a, b in zip(self._start, self._last))
        self.epochs.append((clock, process))


def turn(job: Job) -> list[tuple[float, float]]:
    """Trains for some epochs, from the start.

    Args:
        job: The run.

    Returns:
        The seconds of each epoch but the first.
    """
    clock = TrainClock()

    def make(*args: Any, **kwargs: Any) -> Trainer:
        callbacks = [*kwargs.pop('callbacks', []), clock]
        return Trainer(*args, callbacks=callbacks, **kwargs)

    # Where chemprop's command finds it, and where ours does.
    with (
        mock.patch.object(lightning.pytorch, 'Trainer', make),
        mock.patch.object(fitting, 'Trainer', make),
    ):
        kinds.train(job)
    return clock.epochs[1:]


def main(
    root: Path = Path('data/ogb'),
    datasets: tuple[str, ...] = ('molesol', 'molbbbp'),
    rounds: int = 5,
    threads: int = 1,
    results: Path | None = None,
    docs: Path | None = None,
) -> None:
    """Times all rows and records them.

    Args:
        root: The folder of the OGB datasets.
        datasets: The datasets.
        rounds: How many turns each has.
        threads: The number of threads.
        results: The folder of the result file. (default: the committed
            ones for the default settings, one below ``runs`` for others)
        docs: The folder of ``performance.md``. (default: the documentation for
            committed results, the folder of results for others)
    """
    good = is_default(main, locals())
    place = Place.choose('molecules', good, results, docs)
    at_least_one(rounds=rounds, threads=threads)
    torch.set_num_threads(threads)
    logging.getLogger('lightning.pytorch').setLevel(logging.WARNING)
    rows = []
    for dataset in datasets:
        measured = _measure(root, dataset, rounds, threads)
        graphs = OGBMolDataset(f'ogbg-{dataset}', root, download=False)
        size = len(graphs.get_idx_split()['train'])
        rows += summarise(dataset, size, measured)
    record = {**provenance(), 'threads': threads, 'rounds': rounds}
    record['rows'] = rows
    place.publish(record, 'performance.md', NAME, table(record))


def _measure(
    root: Path, dataset: str, rounds: int, threads: int
) -> dict[str, list[tuple[float, float]]]:
    cells = {
        cell.row: _short(cell)
        for cell in load_table('molecules').select(None, [dataset])
        if cell.row in ROWS
    }
    measured: dict[str, list[tuple[float, float]]] = {row: [] for row in cells}
    calls: dict[str, Callable[[Path], Job]] = {
        row: lambda folder, cell=cell: Job(  # type: ignore[misc]
            Run(cell, 0), root, folder, '', threads, accelerator='cpu'
        )
        for row, cell in cells.items()
    }
    for number in range(rounds):
        # Forwards, then backwards, against a drift of the machine.
        for row in list(calls)[:: -1 if number % 2 else 1]:
            with tempfile.TemporaryDirectory() as folder:
                job = calls[row](Path(folder))
                job.folder.mkdir(parents=True)
                gc.collect()
                measured[row] += turn(job)
            print(f'{dataset}, round {number}, {row}: {measured[row][-1]}')
    return measured


def _short(cell: Cell) -> Cell:
    if cell.kind == 'chemprop':
        changed = {'chemprop': {**cell.settings['chemprop'], 'epochs': EPOCHS}}
    else:
        changed = {'epochs': EPOCHS}
    return replace(cell, settings={**cell.settings, **changed})


def summarise(
    dataset: str, size: int, measured: dict[str, list[tuple[float, float]]]
) -> list[dict[str, Any]]:
    """The rows of the result.

    Args:
        dataset: The dataset.
        size: The number of training molecules.
        measured: The seconds of each epoch of each row.
    """
    rows = []
    for row, epochs in measured.items():
        clock, process = (
            [1000 * epoch[i] / size for epoch in epochs] for i in range(2)
        )
        ratios = [a[1] / b[1] for a, b in zip(measured['chemprop'], epochs)]
        rows.append(
            {
                'dataset': dataset,
                'row': row,
                'ms': round(statistics.median(clock), 4),
                'processor_ms': round(statistics.median(process), 4),
                'processor_ms_all': [round(value, 4) for value in process],
                'speed': round(statistics.median(ratios), 3),
                'speed_min': round(min(ratios), 3),
                'speed_max': round(max(ratios), 3),
            }
        )
    return rows


def table(record: dict[str, Any]) -> str:
    """The rows as a Markdown table, with how they were measured."""
    labels = {c.row: c.label for c in load_table('molecules').cells}
    rows = [
        [
            row['dataset'],
            labels[row['row']],
            f'{row["ms"]:.2f}',
            f'{row["processor_ms"]:.2f}',
            f'{row["speed"]:.2f} ({row["speed_min"]:.2f} to '
            f'{row["speed_max"]:.2f})',
        ]
        for row in record['rows']
    ]
    plural = '' if record['threads'] == 1 else 's'
    header = [
        'dataset',
        f'{record["threads"]} thread{plural}',
        'ms per molecule',
        'of the processor',
        'times as fast as chemprop',
    ]
    note = (
        f'Training without validation. Medians of {record["rounds"]} turns of '
        f'{EPOCHS - 1} epochs. How many times as fast goes by the seconds of '
        f'the processor, epoch by epoch, with their range; '
        f'{record["processor"]}, PyTorch {record["environment"]["torch"]}.'
    )
    return f'{markdown.table(header, rows)}\n\n{note}'


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


if __name__ == '__main__':
    run(main, as_positional=False)
