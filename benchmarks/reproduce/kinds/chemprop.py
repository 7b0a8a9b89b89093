"""A run of chemprop, by its own command and with its own defaults."""

from __future__ import annotations

import csv
import json
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.common.memory import peak_memory, reset_peak_memory
from benchmarks.reproduce.job import Job
from benchmarks.reproduce.kinds.molecules import (
    PREDICTED,
    Molecules,
    joined,
    load,
)
from gmoe.common.require import require


def train(job: Job) -> dict[str, Any]:
    """Trains chemprop from the start: it cannot go on from a checkpoint with
    the numbers of an undisturbed run.

    Returns:
        Its result: the scores at the epoch that chemprop selects, which is
        that of the least loss on validation.
    """
    molecules = load(job)
    folder = job.checkpoints
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    rows = molecules.readable().nonzero()[0]
    asked = _write(molecules, rows, folder)
    arguments = command_line(job, molecules.is_regression, folder)
    reset_peak_memory()
    start, cpu_start = time.perf_counter(), time.process_time()
    run_command(arguments)
    seconds = time.perf_counter() - start
    cpu_seconds = time.process_time() - cpu_start
    out = folder / 'out' / 'model_0'
    prediction = np.full_like(molecules.target, np.nan)
    prediction[asked] = _read(out / 'test_predictions.csv')
    return {
        'metric': molecules.metric,
        **molecules.scores(job, molecules.filled(prediction)),
        **_about(out),
        'flops_per_graph': None,
        'curve': {},
        'measured': {
            'seconds': round(seconds, 3),
            'train_seconds': round(seconds, 3),
            'cpu_seconds': round(cpu_seconds, 3),
            'peak_memory': peak_memory(),
        },
    }


def command_line(job: Job, is_regression: bool, folder: Path) -> list[str]:
    """The arguments of chemprop's command.

    Args:
        job: The run. Its settings are options of the command, by their names
            with underscores; all others are at chemprop's defaults.
        is_regression: Whether targets are numbers.
        folder: Where the table is and the output goes.
    """
    options = {
        'data_path': folder / 'data.csv',
        'splits_file': folder / 'splits.json',
        'task_type': 'regression' if is_regression else 'classification',
        'output_dir': folder / 'out',
        'pytorch_seed': job.run.seed,
        'data_seed': job.run.seed,
        'accelerator': job.accelerator,
        **job.run.cell.settings['chemprop'],
    }
    out = ['train']
    for name, value in options.items():
        values = value if isinstance(value, list) else [value]
        out += [f'--{name.replace("_", "-")}', *map(str, values)]
    return out


def run_command(arguments: Sequence[str]) -> None:
    """Runs chemprop's command in this process, which has imported it.

    Args:
        arguments: Its arguments.
    """
    main = require('chemprop.cli.main', 'peers').main
    with mock.patch.object(sys, 'argv', ['chemprop', *arguments]):
        main()


def _write(molecules: Molecules, rows: np.ndarray, folder: Path) -> np.ndarray:
    """Writes the table of the molecules that RDKit reads and their split.
    chemprop predicts its test part alone, so validation is part of that, too:
    it is neither trained on nor selected by.

    Returns:
        The rows of the dataset that are predicted, in order.
    """
    tasks = [f'task_{i}' for i in range(molecules.target.shape[1])]
    with (folder / 'data.csv').open('w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['smiles', *tasks])
        for row in rows:
            labels = molecules.target[row].tolist()
            texts = ['' if v != v else repr(v) for v in labels]
            writer.writerow([molecules.smiles[row], *texts])
    place = {row: i for i, row in enumerate(rows.tolist())}
    parts = {
        part: np.array([row for row in own.tolist() if row in place])
        for part, own in molecules.parts.items()
    }
    asked = joined(parts, PREDICTED)
    split = {'train': parts['train'], 'val': parts['valid'], 'test': asked}
    places = {
        part: [place[row] for row in own.tolist()]
        for part, own in split.items()
    }
    (folder / 'splits.json').write_text(json.dumps([places]))
    return asked


def _read(path: Path) -> np.ndarray:
    # Blank where a descriptor of the molecule is not finite.
    with path.open(newline='') as file:
        _, *lines = csv.reader(file)
    values = [[cell or 'nan' for cell in line[1:]] for line in lines]
    prediction = np.array(values, dtype=np.float32)
    if np.isnan(prediction).all():
        raise ValueError(
            f"'{path}' must have predictions, got none: chemprop has trained "
            'on descriptors that are not finite'
        )
    return prediction


def _about(out: Path) -> dict[str, Any]:
    # best-epoch=12-val_loss=0.31.ckpt
    (best,) = (out / 'checkpoints').glob('best-epoch=*')
    network = require('chemprop.models', 'peers').MPNN
    model = network.load_from_file(out / 'best.pt', map_location='cpu')
    return {
        'best_epoch': int(best.name.split('=')[1].split('-')[0]),
        'num_parameters': sum(p.numel() for p in model.parameters()),
        'version': require('chemprop', 'peers').__version__,
    }
