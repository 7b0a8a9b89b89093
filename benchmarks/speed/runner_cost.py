"""The share of the time of a run that the runner itself takes.

    python -m benchmarks.speed.runner_cost --root $GMOE_DATA_ROOT/ogb

Starts ``python -m benchmarks.reproduce`` on the smallest dataset, one run at a
time, and looks at its files from outside. What a run costs is the time from
its start to the start of the next one; the epochs, with their validation, are
what the run itself reports. The rest is the runner's: the process, the data,
checkpoints, predictions, records. What happens once per command, however many
runs it has (the imports, the mean predictions), is reported beside it.
Makes its table in ``docs/reproduction/runner.md``.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.common import markdown
from benchmarks.common.options import run
from benchmarks.common.place import Place, is_default
from benchmarks.common.record import ROOT, provenance
from benchmarks.reproduce import store
from benchmarks.reproduce.job import RESULT, SETTINGS
from benchmarks.reproduce.run import Run, plan
from benchmarks.reproduce.tables import load_table

NAME = 'benchmarks.speed.runner_cost'
TABLE = 'table2'
DATASET = 'molfreesolv'


def main(
    root: Path = Path('data/ogb'),
    rows: list[str] | None = None,
    seeds: int = 2,
    epochs: int | None = None,
    threads: int = 1,
    results: Path | None = None,
    docs: Path | None = None,
) -> None:
    """Measures and records the cost of the runner.

    Args:
        root: The folder of the OGB datasets.
        rows: The rows of table 2; its networks if not given.
        seeds: How many runs there are of each.
        epochs: The number of epochs, in place of the table's.
        threads: The number of threads of a run.
        results: The folder of the result file. (default: the committed
            ones for the default settings, one below ``runs`` for others)
        docs: The folder that holds ``reproduction/runner.md``. (default:
            the documentation for committed results, the folder of results
            for others)
    """
    good = is_default(main, locals())
    place = Place.choose('runner_cost', good, results, docs)
    rows = rows or ['gcn', 'gmoe-gcn', 'tiny-gin']
    cells = load_table(TABLE, epochs).select(rows, [DATASET])
    runs = plan(cells, range(seeds))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start = time.time()
        _reproduce(root, folder, rows, seeds, runs[0].epochs, threads)
        end = time.time()
        records = store.read(folder / f'{TABLE}.jsonl')
        spans = _spans(runs, folder)
        result = summarise(records, spans, start, end)
    for row in result['rows']:
        print(
            f'{row["name"]}: {row["seconds"]:.2f} s a run, of them '
            f"{100 * row['share']:.2f} % the runner's"
        )
    record = {
        **provenance(),
        'dataset': f'ogbg-{DATASET}',
        'epochs': runs[0].epochs,
        'seeds': seeds,
        'threads': threads,
        **result,
    }
    place.publish(record, 'reproduction/runner.md', NAME, table(record))


def _reproduce(
    root: Path,
    folder: Path,
    rows: Sequence[str],
    seeds: int,
    epochs: int,
    threads: int,
) -> None:
    subprocess.run(
        [
            *(sys.executable, '-m', 'benchmarks.reproduce', TABLE),
            *('--datasets', DATASET, '--cells', *rows),
            *('--seeds', str(seeds), '--epochs', str(epochs)),
            *('--threads', str(threads), '--workers', '1'),
            *('--root', str(root.resolve()), '--accelerator', 'cpu'),
            *('--results', str(folder), '--runs', str(folder / 'runs')),
        ],
        cwd=ROOT,
        check=True,
    )


def _spans(runs: Sequence[Run], folder: Path) -> list[tuple[float, float]]:
    # A run begins as it writes its settings and ends as it writes its result;
    # what is between that and the next one counts as its own, too.
    paths = [run.folder(folder / 'runs') for run in runs]
    starts = [(path / SETTINGS).stat().st_mtime for path in paths]
    end = (paths[-1] / RESULT).stat().st_mtime
    return list(zip(starts, [*starts[1:], end]))


def summarise(
    records: Sequence[dict[str, Any]],
    spans: Sequence[tuple[float, float]],
    start: float,
    end: float,
) -> dict[str, Any]:
    """The cost of the runner.

    Args:
        records: What the runs have recorded, in their order, then others.
        spans: When each run started, and the next one.
        start: When the command started.
        end: When it ended.
    """
    groups: dict[str, list[tuple[float, float]]] = {}
    for record, (first, last) in zip(records, spans):
        pair = last - first, record['measured']['seconds']
        groups.setdefault(record['row'], []).append(pair)
    rows = []
    for name, pairs in groups.items():
        seconds = sum(pair[0] for pair in pairs)
        training = sum(pair[1] for pair in pairs)
        rows.append(
            {
                'name': name,
                'seconds': round(seconds / len(pairs), 3),
                'epoch_seconds': round(training / len(pairs), 3),
                'share': round(1 - training / seconds, 5),
                'shares': [round(1 - t / s, 5) for s, t in pairs],
            }
        )
    return {
        'rows': rows,
        'start_seconds': round(spans[0][0] - start, 3),
        'end_seconds': round(end - spans[-1][1], 3),
    }


def table(record: dict[str, Any]) -> str:
    """The rows as a Markdown table, with what there is once per command."""
    rows = [
        [
            row['name'],
            f'{row["seconds"]:.2f}',
            f'{row["epoch_seconds"]:.2f}',
            f'{100 * row["share"]:.1f} %',
        ]
        for row in record['rows']
    ]
    header = [
        f'{record["dataset"]}, {record["epochs"]} epochs',
        'seconds per run',
        'of them epochs',
        "the runner's share",
    ]
    note = (
        f'Means of {record["seeds"]} runs. Once per command, '
        f'{record["start_seconds"]:.1f} s go by before the first run starts '
        f'and {record["end_seconds"]:.1f} s after the last one. '
        f'{record["processor"]}, threads: {record["threads"]}.'
    )
    return f'{markdown.table(header, rows)}\n\n{note}'


if __name__ == '__main__':
    run(main, as_positional=False)
