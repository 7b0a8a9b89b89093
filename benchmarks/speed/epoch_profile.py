"""Measures where the seconds of an epoch go, and what kept batches save.

    python -m benchmarks.speed.epoch_profile --root $GMOE_DATA_ROOT/ogb

Trains networks of a table epoch by epoch, in turns: as
``benchmarks.reproduce`` does it, and with the data prepared as PyG's loader
and a transform would, graph by graph and batch by batch, with validation in
batches of the training size. Lightning's profiler says what the parts of an
epoch take. Makes its table in ``docs/performance.md``.
"""

from __future__ import annotations

import logging
import statistics
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.profilers import SimpleProfiler
from torch_geometric.loader import DataLoader

from benchmarks.common import markdown
from benchmarks.common.memory import keep_freed_memory
from benchmarks.common.options import at_least_one, run
from benchmarks.common.place import Place, is_default
from benchmarks.common.record import provenance
from benchmarks.reproduce.job import Job
from benchmarks.reproduce.kinds.network import make_model
from benchmarks.reproduce.run import Run
from benchmarks.reproduce.tables import Cell, load_table
from gmoe.training import OGBMolDataModule

NAME = 'benchmarks.speed.epoch_profile'
ROWS = ['gcn', 'gmoe-gcn', 'tiny-gin']
WAYS = {
    'loader': 'graph by graph',
    'kept': 'at once, hop-2 edges kept',
}

_NEXT = 'train_dataloader_next'

#: The parts of an epoch: the ends of the profiler's names for them.
PARTS = {
    # With what is done to a batch after the transfer, such as hop-2 edges.
    'batches': (_NEXT, 'val_next', 'Strategy.batch_to_device'),
    'forward': ('Strategy.training_step',),
    'backward': ('Strategy.backward',),
    'optimizer': ('.optimizer_step',),
    'validation': ('Strategy.validation_step', 'on_validation_epoch_end'),
}


class LoaderDataModule(OGBMolDataModule):
    """Batches as PyG's loader collates them."""

    def _loader(
        self, dataset: Any, batch_size: int, sampler: Any = None
    ) -> Any:
        return DataLoader(
            dataset, self.batch_size, sampler=sampler, num_workers=0
        )


def main(
    root: Path = Path('data/ogb'),
    table_name: str = 'table1',
    dataset: str = 'molbbbp',
    rounds: int = 5,
    threads: int = 1,
    results: Path | None = None,
    docs: Path | None = None,
) -> None:
    """Measures, records and makes the table.

    Args:
        root: The folder of the OGB datasets.
        table_name: The table whose cells are trained.
        dataset: The dataset.
        rounds: How many epochs of each way are timed, after one that is not.
        threads: The number of threads.
        results: The folder of the result file. (default: the committed
            ones for the default settings, one below ``runs`` for others)
        docs: The folder of ``performance.md``. (default: the documentation for
            committed results, the folder of results for others)
    """
    good = is_default(main, locals())
    place = Place.choose('epoch_profile', good, results, docs)
    at_least_one(rounds=rounds, threads=threads)
    torch.set_num_threads(threads)
    keep_freed_memory()
    logging.getLogger('lightning.pytorch').setLevel(logging.WARNING)
    cells = load_table(table_name).select(ROWS, [dataset])
    record = {
        **provenance(),
        'dataset': f'ogbg-{dataset}',
        'rounds': rounds,
        'threads': threads,
        'rows': [
            row for cell in cells for row in _measure(cell, root, rounds)
        ],
    }
    place.publish(record, 'performance.md', NAME, table(record))


def _measure(cell: Cell, root: Path, rounds: int) -> list[dict[str, Any]]:
    modules = {'loader': LoaderDataModule, 'kept': OGBMolDataModule}
    data = {
        way: module(
            f'ogbg-{cell.dataset}',
            root,
            download=False,
            **cell.settings['data'],
        )
        for way, module in modules.items()
    }
    model = make_model(Job(Run(cell, 0), root, root, ''), data['kept'])
    epochs: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(1 + rounds):
        for way in WAYS:
            epochs[way].append(profiled_epoch(model, data[way]))
        seconds = {way: epochs[way][-1]['epoch'] for way in WAYS}
        print(f'{cell.name}: seconds per epoch {seconds}', flush=True)
    return [
        {
            'model': cell.label,
            'way': way,
            'parts': {
                part: statistics.median(e[part] for e in epochs[way][1:])
                for part in epochs[way][0]
            },
        }
        for way in WAYS
    ]


def profiled_epoch(model: Any, data: OGBMolDataModule) -> dict[str, float]:
    """Trains one epoch, as :func:`parts_of` reports it."""
    profiler = SimpleProfiler()
    trainer = Trainer(
        accelerator='cpu',
        max_epochs=1,
        profiler=profiler,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(model, data)
    return parts_of(profiler.recorded_durations)


def parts_of(durations: dict[str, list[float]]) -> dict[str, float]:
    """The seconds of an epoch and of its parts.

    Args:
        durations: The seconds of each action, as Lightning's profiler
            records them.
    """

    def seconds(*ends: str) -> float:
        return sum(
            sum(values)
            for name, values in durations.items()
            if name.endswith(ends)
        )

    parts = {part: seconds(*ends) for part, ends in PARTS.items()}
    # The optimizer calls for the gradients.
    parts['optimizer'] -= parts['forward'] + parts['backward']
    # The first batch is made before the epoch begins.
    first = next(v[0] for k, v in durations.items() if k.endswith(_NEXT))
    total = seconds('run_training_epoch') + first
    parts['rest'] = total - sum(parts.values())
    return {'epoch': total, **parts}


def table(record: dict[str, Any]) -> str:
    """The rows as a Markdown table, with how they were measured."""
    names = list(record['rows'][0]['parts'])
    threads = record['threads']
    header = [
        f'{record["dataset"]}, {threads} thread{"s" if threads > 1 else ""}',
        'batches are made',
        *(name if name != 'epoch' else 'seconds per epoch' for name in names),
    ]
    rows = [
        [
            row['model'],
            WAYS[row['way']],
            *(f'{row["parts"][name]:.3f}' for name in names),
        ]
        for row in record['rows']
    ]
    note = (
        f'Medians of {record["rounds"]} epochs; {record["processor"]}, '
        f'PyTorch {record["environment"]["torch"]}.'
    )
    return f'{markdown.table(header, rows)}\n\n{note}'


if __name__ == '__main__':
    run(main, as_positional=False)
