"""How fast ``gmoe predict`` is, and how much memory it takes.

    python -m benchmarks.speed.predict_table

Predicts for tables of several sizes of the molecules of ``ogbg-molmuv`` with
a network of the size of ``configs/molecules/fast.yaml``, from the start of
the command to its end. The memory is that of the largest process. What the
machine does besides is part of what is measured: see ``load``.
"""

from __future__ import annotations

import csv
import gzip
import itertools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.common.options import at_least_one, run
from benchmarks.common.place import ogb_root
from benchmarks.common.record import RESULTS, provenance, write_result
from gmoe.datasets.molecules.features import MoleculeFeatures
from gmoe.datasets.molecules.info import REGRESSION, MoleculeInfo
from gmoe.molecules.calibration_data import CalibrationData
from gmoe.molecules.exported import CALIBRATION
from gmoe.molecules.uncertainty.nearest import fingerprints
from gmoe.nn import ATOM_FEATURE_DIMS, BOND_FEATURE_DIMS
from gmoe.training import GraphPredictor

#: How many molecules the network was trained on, as far as the similarity to
#: them is concerned.
NUM_TRAINING = 1000


def main(
    root: Path | None = None,
    sizes: tuple[int, ...] = (10_000, 100_000),
    with_descriptors: int = 10_000,
    results: Path = RESULTS,
) -> None:
    """Measures predictions.

    Args:
        root: The folder of OGB's datasets. (default: ``ogb`` below the
            environment variable ``GMOE_DATA_ROOT``, or ``data``)
        sizes: How many molecules the tables have.
        with_descriptors: How many the table has for a network that takes
            descriptors beside the graph.
        results: The folder of the result file.
    """
    at_least_one(**{f'sizes[{i}]': size for i, size in enumerate(sizes)})
    root = ogb_root(root)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        smiles = _molecules(root, max(*sizes, NUM_TRAINING, with_descriptors))
        for kinds, size in (
            *((None, size) for size in sizes),
            (['descriptors'], with_descriptors),
        ):
            _write_run(folder / 'run', kinds, smiles[:NUM_TRAINING])
            row = _measure(folder, smiles[:size])
            rows.append({'features': kinds, 'molecules': size, **row})
            print(rows[-1], flush=True)
    result = {**provenance(), 'training': NUM_TRAINING, 'rows': rows}
    print(f'Wrote {write_result(results, "predict_table", result)}')


def _molecules(root: Path, count: int) -> list[str]:
    path = root / 'ogbg_molmuv' / 'mapping' / 'mol.csv.gz'
    with gzip.open(path, 'rt') as file:
        found = [row['smiles'] for row in csv.DictReader(file)]
    # Those that are asked for beyond are the first ones again.
    return list(itertools.islice(itertools.cycle(found), count))


def _write_run(
    folder: Path, kinds: list[str] | None, training: list[str]
) -> None:
    features = None if kinds is None else MoleculeFeatures(kinds)
    settings = None if features is None else features.to_dict()
    info = MoleculeInfo(('value',), REGRESSION, None, features=settings)
    predictor = GraphPredictor(
        dataset='molecules',
        task_type=REGRESSION,
        metric='rmse',
        node_dims=ATOM_FEATURE_DIMS,
        edge_dims=BOND_FEATURE_DIMS,
        graph_dims=None if features is None else len(features.names),
        conv='gin',
        num_layers=2,
        hidden_channels=64,
    )
    path = folder / 'checkpoints' / 'best.ckpt'
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(
        {
            'state_dict': predictor.state_dict(),
            'hyper_parameters': dict(predictor.hparams),
            'epoch': 0,
            'molecules': {'info': info.to_dict()},
        },
        path,
    )
    zero = np.zeros((100, 1))
    packed = fingerprints(training)
    CalibrationData(
        zero.astype(np.float32), zero, np.arange(100), packed
    ).save(folder / CALIBRATION)


def _measure(folder: Path, smiles: list[str]) -> dict[str, Any]:
    table = folder / 'new.csv'
    table.write_text('\n'.join(['smiles', *smiles, '']))
    command = [sys.executable, '-m', 'gmoe.cli', 'predict']
    command += [str(folder / 'run'), str(table)]
    command += [f'--output={folder / "out.csv"}']
    start = time.monotonic()
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    if status:
        raise SystemExit(f'{command} ended with the status {status}')
    with (folder / 'out.csv').open() as file:
        count = sum(1 for _ in file) - 1
    assert count == len(smiles)
    return {
        'seconds': round(seconds, 1),
        'molecules_per_second': round(len(smiles) / seconds),
        'processor_seconds': round(usage.ru_utime + usage.ru_stime, 1),
        'peak_memory_mb': round(usage.ru_maxrss / 1000),
        'load': round(os.getloadavg()[0], 1),
    }


if __name__ == '__main__':
    run(main)
