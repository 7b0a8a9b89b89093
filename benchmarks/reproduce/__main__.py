"""Trains the cells of a table of the paper and records the results.

    python -m benchmarks.reproduce table2 --root $GMOE_DATA_ROOT/ogb

Interrupt it anywhere: the same command goes on from the last epoch of each
run. ``python -m benchmarks.report table2`` makes the table.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from jsonargparse import auto_cli
from rich.console import Console

from benchmarks.record import RESULTS, ROOT, provenance
from benchmarks.reproduce import search as grid_search
from benchmarks.reproduce import store
from benchmarks.reproduce.display import Display
from benchmarks.reproduce.estimate import Estimate
from benchmarks.reproduce.run import Run, plan
from benchmarks.reproduce.runner import Pool, Recorder, run_all
from benchmarks.reproduce.tables import Cell, load_table
from benchmarks.reproduce.work import Job


def main(
    table: str,
    seeds: int | None = None,
    epochs: int | None = None,
    root: Path = Path('data/ogb'),
    cells: list[str] | None = None,
    datasets: list[str] | None = None,
    workers: int | None = None,
    threads: int = 1,
    accelerator: str = 'auto',
    ray: str | None = None,
    search: bool = False,
    results: Path = RESULTS / 'reproduce',
    runs: Path = ROOT / 'runs' / 'reproduce',
) -> None:
    """Trains the cells of a table.

    Args:
        table: The name of a file of ``benchmarks/tables``.
        seeds: The number of seeds, from 0 on. (default: the table's, 10; for
            a search 1)
        epochs: The number of epochs. (default: the table's, 100)
        root: The folder of the OGB datasets.
        cells: The rows, such as ``[gcn,gmoe-gcn]``, or cells, such as
            ``[molesol/gcn]``. (default: all)
        datasets: The datasets, such as ``[molesol]``. (default: all)
        workers: How many runs at a time. (default: one per processor)
        threads: The number of threads of each run.
        accelerator: The kind of device, as Lightning names it.
        ray: The address of a Ray cluster, ``auto``, or ``local``. (default:
            processes of this machine)
        search: Whether to search the settings of the mixtures, on
            validation, in place of making the table.
        results: The folder of the files of results.
        runs: The folder of checkpoints and logs.
    """
    for name, value in (
        ('seeds', seeds),
        ('epochs', epochs),
        ('workers', workers),
        ('threads', threads),
    ):
        if value is not None and value < 1:
            raise ValueError(f"'{name}' must be at least 1, got {value}")
    content = load_table(table, epochs)
    chosen = content.select(cells, datasets)
    if search:
        chosen = grid_search.candidates(chosen)
    _check_root(root, chosen)
    numbers = range(seeds or (1 if search else content.seeds))
    recorder = Recorder(
        plan(chosen, numbers),
        results / f'{table}{"-search" if search else ""}.jsonl',
        runs.resolve(),
    )
    recorder.adopt()
    recorder.commit()
    command = provenance()['command']
    console = Console()
    estimate = Estimate(store.read(recorder.path), root)
    pool = _make_pool(ray, workers, threads)

    def make_job(run: Run) -> Job:
        return Job(
            run=run,
            root=root.resolve(),
            runs=recorder.runs,
            command=command,
            threads=threads,
            accelerator=accelerator,
        )

    with Display(console, pool.workers) as display:
        display.announce(recorder.plan, recorder.missing(), estimate)
        try:
            failed = run_all(recorder, pool, make_job, display, estimate)
        except KeyboardInterrupt:
            display.say('Interrupted: the same command goes on from here.')
            sys.exit(130)
        finally:
            pool.stop()
    console.print(f'Results: {recorder.path}', soft_wrap=True)
    if search:
        found = grid_search.choose(chosen, numbers, recorder.path)
        if found:
            console.print(f'Wrote {grid_search.write_chosen(table, found)}')
    if failed:
        for outcome in failed:
            print(f'{outcome.job.run}: {outcome.message}', file=sys.stderr)
        sys.exit(f'{len(failed)} runs failed; the same command tries again')


def _make_pool(ray: str | None, workers: int | None, threads: int) -> Pool:
    if ray is not None:
        from benchmarks.reproduce.ray_pool import RayPool

        return RayPool(ray, workers, threads)
    from benchmarks.reproduce.local_pool import LocalPool

    processors = len(os.sched_getaffinity(0))
    return LocalPool(workers or max(1, processors // threads), threads)


def _check_root(root: Path, cells: list[Cell]) -> None:
    for dataset in sorted({cell.dataset for cell in cells}):
        names = f'ogbg_{dataset}', f'ogbg_{dataset}_pyg'
        if not any((root / name).is_dir() for name in names):
            raise FileNotFoundError(
                f"'root' must be a folder that holds '{names[0]}', got "
                f"'{root}'. To download it: python -c \"from gmoe.datasets "
                f"import OGBMolDataset; OGBMolDataset('ogbg-{dataset}', "
                f"'{root}')\""
            )


if __name__ == '__main__':
    try:
        auto_cli(main)
    except (ValueError, FileNotFoundError, ImportError) as error:
        sys.exit(f'benchmarks.reproduce: error: {error}')
