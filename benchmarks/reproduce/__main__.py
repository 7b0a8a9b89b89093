"""Trains the cells of a table of the paper and records the results.

    python -m benchmarks.reproduce table2 --root $GMOE_DATA_ROOT/ogb
    python -m benchmarks.reproduce webnlg --root $GMOE_DATA_ROOT/webnlg

Interrupt it anywhere: the same command goes on from the last checkpoint of
each run. The seeds and settings of the table add to the committed results;
other ones, such as those of ``--seeds 1 --epochs 2``, have a folder of their
own below ``runs/reproduce``. The command that makes the table is printed at
the end.
"""

from __future__ import annotations

import os
import shlex
import sys
from argparse import ArgumentParser, Namespace
from itertools import chain
from pathlib import Path

import yaml
from rich.console import Console

from benchmarks.common.options import user_path
from benchmarks.common.place import data_root
from benchmarks.common.record import ROOT, command
from benchmarks.reproduce import search
from benchmarks.reproduce.display import Display
from benchmarks.reproduce.estimate import Estimate
from benchmarks.reproduce.job import Job
from benchmarks.reproduce.pools import Outcome, make_pool
from benchmarks.reproduce.recorder import Recorder
from benchmarks.reproduce.run import Run, digest, plan
from benchmarks.reproduce.runner import run_all
from benchmarks.reproduce.store import COMMITTED, Results
from benchmarks.reproduce.tables import Cell, Table, load_table

RUNS = ROOT / 'runs' / 'reproduce'


def main(arguments: list[str] | None = None) -> None:
    """Trains the cells of a table.

    Args:
        arguments: The arguments. (default: those of the command line)
    """
    options = _parse(arguments)
    try:
        _run(options)
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f'benchmarks.reproduce: error: {error}')


def _parse(arguments: list[str] | None) -> Namespace:
    parser = ArgumentParser(
        'python -m benchmarks.reproduce',
        description='Trains the cells of a table of the paper.',
    )
    add = parser.add_argument
    add('table', help='the name of a file of benchmarks/reproduce/tables')
    add('--seeds', type=int, help="how many; the table's, a search's 1")
    add('--first-seed', type=int, default=0, help='the seed to begin with')
    add('--epochs', type=int, help="in place of the table's")
    add('--quick', action='store_true', help='one seed and epoch, on a slice')
    add('--set', nargs='+', metavar='NAME=VALUE', help='other settings')
    add(
        '--model',
        help="what the table 'switch' starts from: small, or the name of a "
        'Switch Transformer such as google/switch-base-8',
    )
    add(
        '--root',
        type=user_path,
        help='the datasets; ogb, webnlg or samsum below GMOE_DATA_ROOT, or '
        'data',
    )
    add('--cells', nargs='+', help='rows, such as gcn, or molesol/gcn')
    add('--datasets', nargs='+', help='datasets, such as molesol')
    add('--workers', type=int, help='runs at a time; one per processor')
    add('--threads', type=int, default=1, help='threads of each run')
    add('--accelerator', default='auto', help='as Lightning names it')
    add(
        '--save-seconds',
        type=float,
        default=10.0,
        help='the least between two checkpoints of a run; 0: each epoch',
    )
    add('--ray', metavar='ADDRESS', help='of a Ray cluster; or auto, local')
    add('--search', action='store_true', help='settings, on validation')
    add(
        '--results',
        type=user_path,
        help='the folder that results are added to; benchmarks/results/'
        "reproduce for the table's seeds and settings, one of their own below "
        'runs/reproduce for others',
    )
    add(
        '--runs',
        type=user_path,
        default=RUNS,
        help='the folder of checkpoints, logs and predictions, one below it '
        'for each run; runs/reproduce',
    )
    return parser.parse_args(arguments)


def _run(options: Namespace) -> None:
    for name in ('seeds', 'epochs', 'workers', 'threads'):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise ValueError(f"'{name}' must be at least 1, got {value}")
    for name in ('first-seed', 'save-seconds'):
        value = getattr(options, name.replace('-', '_'))
        if not value >= 0:
            raise ValueError(f"'{name}' must be at least 0, got {value}")
    table = _load(options)
    cells = table.select(options.cells, options.datasets)
    if options.search:
        cells = search.candidates(cells)
    options.root = options.root or data_root(Path(table.root).name)
    _check_root(options.root, cells)
    if any(cell.kind == 'switch' for cell in cells):
        cells = _fitting(cells)
    whole = 1 if options.search else table.seeds
    count = options.seeds or (1 if options.quick else whole)
    seeds = range(options.first_seed, options.first_seed + count)
    folder = options.results or results_folder(table, seeds, whole)
    ending = '-search' if options.search else ''
    recorder = Recorder(
        plan(cells, seeds),
        folder / f'{table.name}{ending}.jsonl',
        options.runs.resolve(),
    )
    failed = _do(recorder, options)
    print(f'Results: {recorder.results.path}')
    if options.search:
        chosen = search.choose(cells, seeds, recorder.results.records)
        # Not a small search: the table's cells refer to the file.
        own = None if _is_committed(folder) else folder / 'chosen.yaml'
        if chosen:
            print(f'Wrote {search.write_chosen(table.name, chosen, own)}')
    print(f'Report: {report_command(table, folder)}')
    if failed:
        for outcome in failed:
            print(f'{outcome.job.run}: {outcome.message}', file=sys.stderr)
        sys.exit(f'{len(failed)} runs failed; the same command tries again')


def _load(options: Namespace) -> Table:
    table = load_table(options.table)
    if options.quick:
        table = table.quick()
    changes = {} if options.epochs is None else {'epochs': options.epochs}
    for text in options.set or ():
        name, is_given, value = text.partition('=')
        if not is_given:
            raise ValueError(f"'set' must be of NAME=VALUE, got '{text}'")
        changes[name] = yaml.safe_load(value)
    if options.model is not None:
        if not any(cell.kind == 'switch' for cell in table.cells):
            raise ValueError(
                f"'model' must be left out for the table '{table.name}', "
                f"which has its own, got '{options.model}'"
            )
        changes['base'] = options.model
    return table.change(changes)


def _fitting(cells: list[Cell]) -> list[Cell]:
    # Here: other tables need nothing of it.
    from benchmarks.reproduce.kinds.switch_place import fitting

    kept, left_out = fitting(cells)
    if left_out:
        print(f'Left out, as the model has none: {", ".join(left_out)}')
    if not kept:
        raise ValueError(
            f"'cells' must name rows that go with the model, got {left_out}"
        )
    return kept


def results_folder(table: Table, seeds: range, count: int) -> Path:
    """The default folder of results. The committed ones are of the seeds and
    settings of their table; others are kept apart.

    Args:
        table: The table, with the settings that are asked for.
        seeds: The seeds that are asked for.
        count: The number of seeds of committed results.
    """
    whole = load_table(table.name)
    if seeds == range(count) and table.cells == whole.cells:
        return COMMITTED
    epochs = max(cell.settings.get('epochs', 0) for cell in table.cells)
    name = f'{table.name}-seeds{seeds[0]}to{seeds[-1]}-epochs{epochs}'
    if table.cells not in (whole.cells, load_table(table.name, epochs).cells):
        settings = {cell.name: cell.settings for cell in table.cells}
        name += f'-{digest(table.name, settings)}'
    return RUNS / name


def report_command(table: Table, folder: Path) -> str:
    """The command that makes the report of results.

    Args:
        table: The table.
        folder: The folder of the results.
    """
    arguments = ['python', '-m', table.report]
    if table.report in (Table.report, 'benchmarks.report.one_graph'):
        arguments.append(table.name)
    if not _is_committed(folder):
        arguments += ['--results', os.path.relpath(folder)]
    return shlex.join(arguments)


def _is_committed(folder: Path) -> bool:
    return folder.resolve() == COMMITTED.resolve()


def _do(recorder: Recorder, options: Namespace) -> list[Outcome]:
    recorder.adopt()
    recorder.commit()
    # The committed results know how long a cell takes, too.
    known = [recorder.results]
    if not _is_committed(recorder.results.path.parent):
        known.insert(0, Results(COMMITTED / recorder.results.path.name))
    records = chain(*(results.records.values() for results in known))
    estimate = Estimate(records, options.root)
    pool = make_pool(
        options.ray,
        options.workers,
        options.threads,
        sorted({run.cell.kind for run in recorder.plan}),
    )

    def make_job(run: Run) -> Job:
        return Job(
            run=run,
            root=options.root.resolve(),
            runs=recorder.runs,
            command=command(),
            threads=options.threads,
            accelerator=options.accelerator,
            save_seconds=options.save_seconds,
        )

    with Display(Console(), pool.workers) as display:
        display.announce(recorder.plan, recorder.missing(), estimate)
        try:
            return run_all(recorder, pool, make_job, display, estimate)
        except KeyboardInterrupt:
            display.say('Interrupted: the same command goes on from here.')
            sys.exit(130)
        finally:
            pool.stop()


def _check_root(root: Path, cells: list[Cell]) -> None:
    if any(cell.dataset == 'samsum' for cell in cells):
        if not (root / 'train.csv').is_file():
            raise FileNotFoundError(
                "'root' must be a folder that holds train.csv, validation.csv "
                f"and test.csv of SAMSum, got '{root}'"
            )
        return
    if any(cell.kind in ('links', 'nodes') for cell in cells):
        # Where each graph is below it, their reader says.
        if not root.is_dir():
            raise FileNotFoundError(
                "'root' must be a folder that holds 'planetoid', "
                f"'heterophilous', 'amazon', 'coauthor' or 'ogb', got '{root}'"
            )
        return
    datasets = {c.dataset for c in cells if 'webnlg' not in c.kind}
    if not datasets and not root.exists():
        raise FileNotFoundError(
            f"'root' must be a folder that holds WebNLG, got '{root}'. To "
            'download it: python -c "from gmoe.datasets import '
            f"WebNLGDataset; WebNLGDataset('{root}')\""
        )
    for dataset in sorted(datasets):
        names = f'ogbg_{dataset}', f'ogbg_{dataset}_pyg'
        if not any((root / name).is_dir() for name in names):
            raise FileNotFoundError(
                f"'root' must be a folder that holds '{names[0]}', got "
                f"'{root}'. To download it: python -c \"from gmoe.datasets "
                f"import OGBMolDataset; OGBMolDataset('ogbg-{dataset}', "
                f"'{root}')\""
            )


if __name__ == '__main__':
    main()
