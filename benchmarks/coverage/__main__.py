"""How often 90 % intervals hold the truth, on random and scaffold splits.

    python -m benchmarks.coverage

For each dataset and split, small networks are trained, intervals (or sets of
classes) are calibrated on the validation split as ``gmoe fit`` does, and
looked at on the test split: on random splits, for many divisions of what is
held out into the two. Splits that are done are kept, so that the command goes
on where it was stopped. Ends with tables and pictures.
"""

from __future__ import annotations

import itertools
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import json_lines
from benchmarks.common.options import at_least_one, run
from benchmarks.common.place import ogb_root
from benchmarks.common.record import RESULTS, ROOT, provenance, write_result
from benchmarks.coverage.report import publish
from benchmarks.coverage.trial import LEVEL, MODEL, run_trial

DATASETS = ('ogbg-molesol', 'ogbg-mollipo', 'ogbg-molbbbp')
KINDS = ('random', 'scaffold-balanced')


def main(
    root: Path | None = None,
    datasets: tuple[str, ...] = DATASETS,
    splits: int = 3,
    members: int = 3,
    epochs: int = 6,
    divisions: int = 50,
    results: Path = RESULTS,
    docs: Path | None = None,
    run_dir: Path = ROOT / 'runs' / 'coverage',
) -> None:
    """Measures the coverage of intervals.

    Args:
        root: The folder of OGB's datasets. (default: ``ogb`` below the
            environment variable ``GMOE_DATA_ROOT``, or ``data``)
        datasets: Their names.
        splits: The number of splits of each kind.
        members: The number of networks of an ensemble.
        epochs: The number of epochs, of which the best one is taken.
        divisions: How many times what a random split holds out is divided.
        results: The folder of the result file.
        docs: The folder of the page and its pictures. (default: the
            documentation)
        run_dir: The folder of what is done already.
    """
    root = ogb_root(root)
    at_least_one(
        splits=splits, members=members, epochs=epochs, divisions=divisions
    )
    logging.getLogger('lightning.pytorch').setLevel(logging.ERROR)
    warnings.filterwarnings('ignore')
    path = run_dir / f'm{members}-e{epochs}.jsonl'
    done = json_lines.read(path)
    keys = {_key(record) for record in done}
    # The kind with a goal first.
    for seed, kind, name in itertools.product(range(splits), KINDS, datasets):
        if (name, kind, seed) in keys:
            continue
        record = run_trial(name, kind, seed, members, epochs, divisions, root)
        json_lines.append(path, record)
        done.append(record)
        shown = {
            label: round(float(np.mean([t['coverage'] for t in parts])), 3)
            for label in ('single', 'ensemble')
            for parts in [record[label]]
        }
        print(f'{name} {kind} {seed}: {shown}', flush=True)
    wanted = [
        record
        for record in done
        if record['dataset'] in datasets and record['seed'] < splits
    ]
    result: dict[str, Any] = {
        **provenance(),
        'level': LEVEL,
        'model': MODEL,
        'trials': wanted,
    }
    print(f'Wrote {write_result(results, "coverage", result)}')
    publish(result, docs or ROOT / 'docs')


def _key(record: dict[str, Any]) -> tuple[str, str, int]:
    return record['dataset'], record['split'], record['seed']


if __name__ == '__main__':
    run(main)
