"""Seconds per epoch, beside a training script in the manner of OGB's.

    python -m benchmarks.speed.ogb_script --root $GMOE_DATA_ROOT/ogb

One process trains, epoch by epoch and in turns: the single GCN on stock PyG
as OGB's molecule example (``examples/graphproppred/mol``) trains it, which
scores the training, validation and test splits after each epoch, and GMoE-GCN
and the single GCN of this package as ``benchmarks.reproduce`` trains them,
which scores validation and test. Makes its table in ``docs/performance.md``.
"""

from __future__ import annotations

import gc
import logging
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from benchmarks.common import markdown
from benchmarks.common.options import at_least_one, run
from benchmarks.common.place import Place, is_default
from benchmarks.common.record import provenance
from benchmarks.reproduce.job import Job
from benchmarks.reproduce.kinds.network import (
    make_data,
    make_model,
    make_trainer,
)
from benchmarks.reproduce.kinds.run_log import RunLog
from benchmarks.reproduce.run import Run
from benchmarks.reproduce.tables import Cell, load_table
from benchmarks.speed.ogb_loop import OGBLoop, Parts
from gmoe.datasets import OGBMolDataset

NAME = 'benchmarks.speed.ogb_script'

#: What each row is.
LABELS = {
    'script': "single GCN on stock PyG, as OGB's script trains it",
    'script-no-train-score': 'the same without the score of the training '
    'split',
    'gmoe-gcn': 'GMoE-GCN of table 1, as `benchmarks.reproduce` trains it',
    'gcn': 'single GCN of this package, as `benchmarks.reproduce` trains it',
}


class Reproduced:
    """A cell, trained as ``benchmarks.reproduce`` does it.

    Args:
        cell: The cell.
        root: The folder of the OGB datasets.
        folder: Where it writes.
        threads: The number of threads.
    """

    def __init__(
        self, cell: Cell, root: Path, folder: Path, threads: int
    ) -> None:
        self.job = Job(
            Run(cell, 0),
            root,
            folder,
            '',
            threads=threads,
            accelerator='cpu',
        )
        self.job.folder.mkdir(parents=True)
        self.data = make_data(self.job)
        torch.manual_seed(0)
        self.model = make_model(self.job, self.data)

    def epoch(self) -> Parts:
        """Trains and scores, and returns the seconds of each part. The
        checkpoint is part of it, as of each epoch of some seconds."""
        shutil.rmtree(self.job.checkpoints, ignore_errors=True)
        log, clock = RunLog(self.job.folder), EpochClock()
        trainer = make_trainer(self.job, log)
        trainer.callbacks.append(clock)
        trainer.fit(self.model, self.data)
        return {
            'train': log.train_seconds[-1],
            'score_valid_test': log.seconds[-1] - log.train_seconds[-1],
            'checkpoint': clock.seconds - log.seconds[-1],
        }


class EpochClock(Callback):
    """The seconds of an epoch with all that is done after it."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._start = 0.0

    def on_train_epoch_start(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> None:
        self._start = time.perf_counter()

    def on_train_end(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> None:
        self.seconds = time.perf_counter() - self._start


def main(
    root: Path = Path('data/ogb'),
    dataset: str = 'molbbbp',
    rounds: int = 7,
    threads: int = 2,
    results: Path | None = None,
    docs: Path | None = None,
) -> None:
    """Times all rows and records them.

    Args:
        root: The folder of the OGB datasets.
        dataset: The dataset, with one task.
        rounds: How many epochs of each model are timed, after one that is
            not.
        threads: The number of threads.
        results: The folder of the result file. (default: the committed
            ones for the default settings, one below ``runs`` for others)
        docs: The folder of ``performance.md``. (default: the documentation for
            committed results, the folder of results for others)
    """
    good = is_default(main, locals())
    place = Place.choose('ogb_script', good, results, docs)
    at_least_one(rounds=rounds, threads=threads)
    torch.set_num_threads(threads)
    logging.getLogger('lightning.pytorch').setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        measured = _measure(root, dataset, rounds, threads, Path(folder))
    rows = summarise(measured)
    for row in rows:
        print(
            f'{row["name"]}: {row["seconds"]:.2f} seconds per epoch, '
            f'{row["ratio"]:.2f} of the script '
            f'({row["ratio_min"]:.2f} to {row["ratio_max"]:.2f})'
        )
    record = {
        **provenance(),
        'dataset': f'ogbg-{dataset}',
        'threads': threads,
        'rounds': rounds,
        'rows': rows,
    }
    place.publish(record, 'performance.md', NAME, table(record))


def _measure(
    root: Path, dataset: str, rounds: int, threads: int, folder: Path
) -> dict[str, list[Parts]]:
    graphs = OGBMolDataset(f'ogbg-{dataset}', root, download=False)
    if graphs.num_tasks != 1:
        raise SystemExit(
            f"'dataset' must have one task, got '{dataset}' with "
            f'{graphs.num_tasks}'
        )
    table = load_table('table1', epochs=1)
    single, mixture = (
        replace(cell, dataset=dataset)
        for row in ('gcn', 'gmoe-gcn')
        for cell in table.select([f'molbbbp/{row}'], None)
    )
    calls: dict[str, Callable[[], Parts]] = {
        'script': OGBLoop(graphs).epoch,
        'gmoe-gcn': Reproduced(mixture, root, folder, threads).epoch,
        'gcn': Reproduced(single, root, folder, threads).epoch,
    }
    measured: dict[str, list[Parts]] = {name: [] for name in calls}
    for number in range(rounds + 1):
        if number == 1:
            # Or the garbage collector, at some time, in the time of some row,
            # looks at a million objects of libraries.
            gc.collect()
            gc.freeze()
        # Forwards, then backwards, against a drift of the machine.
        order = list(calls)[:: 1 if number % 2 else -1]
        for name in order:
            parts = calls[name]()
            if number > 0:  # The first round warms up.
                measured[name].append(parts)
                print(f'round {number}, {name}: {sum(parts.values()):.2f} s')
    return measured


def summarise(measured: dict[str, list[Parts]]) -> list[dict[str, Any]]:
    """The rows of the result.

    Args:
        measured: The seconds of the parts of each epoch of each model.
    """
    without = [
        {key: value for key, value in parts.items() if key != 'score_train'}
        for parts in measured['script']
    ]
    measured = {**measured, 'script-no-train-score': without}
    totals = {
        name: [sum(parts.values()) for parts in epochs]
        for name, epochs in measured.items()
    }
    rows = []
    for name, label in LABELS.items():
        pairs = zip(totals[name], totals['script'])
        ratios = [seconds / other for seconds, other in pairs]
        rows.append(
            {
                'name': name,
                'label': label,
                'seconds': round(statistics.median(totals[name]), 3),
                'seconds_all': [round(value, 3) for value in totals[name]],
                'parts': {
                    key: round(
                        statistics.median(p[key] for p in measured[name]), 3
                    )
                    for key in measured[name][0]
                },
                'ratio': round(statistics.median(ratios), 3),
                'ratio_min': round(min(ratios), 3),
                'ratio_max': round(max(ratios), 3),
            }
        )
    return rows


def table(record: dict[str, Any]) -> str:
    """The rows as a Markdown table, with how they were measured."""
    rows = [
        [
            row['label'],
            f'{row["seconds"]:.2f}',
            f'{row["parts"]["train"]:.2f}',
            f'{row["ratio"]:.2f} ({row["ratio_min"]:.2f} to '
            f'{row["ratio_max"]:.2f})',
        ]
        for row in record['rows']
    ]
    header = [
        f'{record["dataset"]}, {record["threads"]} threads',
        'seconds per epoch',
        'of them training',
        "ratio to OGB's script",
    ]
    note = (
        f'Medians of {record["rounds"]} epochs, the ratios within each round '
        f'with their range; {record["processor"]}, PyTorch '
        f'{record["environment"]["torch"]}.'
    )
    return f'{markdown.table(header, rows)}\n\n{note}'


if __name__ == '__main__':
    run(main, as_positional=False)
