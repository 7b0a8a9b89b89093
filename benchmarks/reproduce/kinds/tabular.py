"""Models of a table of features: one per task, fitted to the labelled
molecules of the training split."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.common.memory import peak_memory, reset_peak_memory
from benchmarks.reproduce.job import Job
from benchmarks.reproduce.kinds.molecules import PREDICTED, Molecules, load

#: Makes a model with ``fit`` and ``predict`` or ``predict_proba`` for a task.
MakeModel = Callable[[Molecules, int], Any]


def train(
    job: Job,
    make_features: Callable[[Molecules], np.ndarray],
    make_model: MakeModel,
    count: Callable[[Any], int],
) -> dict[str, Any]:
    """Fits a model per task.

    Args:
        job: The run.
        make_features: Makes a row of features for each molecule.
        make_model: Makes the model of a task.
        count: Counts what a model consists of.

    Returns:
        The run's result.
    """
    molecules = load(job)
    reset_peak_memory()
    start, cpu_start = time.perf_counter(), time.process_time()
    features = make_features(molecules)
    featurised = time.perf_counter()
    fitted = [
        _fit(features, molecules, task, make_model)
        for task in range(molecules.target.shape[1])
    ]
    end = time.perf_counter()
    prediction = np.stack([column for column, _ in fitted], axis=1)
    return {
        'metric': molecules.metric,
        **molecules.scores(job, molecules.filled(prediction)),
        'best_epoch': None,
        'num_parameters': sum(count(m) for _, m in fitted if m is not None),
        'flops_per_graph': None,
        'curve': {},
        'measured': {
            'seconds': round(end - start, 3),
            'train_seconds': round(end - featurised, 3),
            'cpu_seconds': round(time.process_time() - cpu_start, 3),
            'peak_memory': peak_memory(),
        },
    }


def molecule_features(
    molecules: Molecules, kinds: Sequence[str]
) -> np.ndarray:
    """Features that the package has for molecules, kept for the next run.
    Those of a molecule that RDKit refuses are all NaN.

    Args:
        molecules: The dataset.
        kinds: The kinds of features.
    """
    # Not above: not all need RDKit.
    from gmoe.datasets.molecules.features import MoleculeFeatures

    features = MoleculeFeatures(kinds)
    return features.compute(molecules.smiles, num_workers=0, is_kept=True)


def task_seed(job: Job, task: int) -> int:
    """The seed of a task's model.

    Args:
        job: The run.
        task: The task's number.
    """
    return int(
        np.random.SeedSequence((job.run.seed, task)).generate_state(1)[0]
    )


def _fit(
    features: np.ndarray,
    molecules: Molecules,
    task: int,
    make_model: MakeModel,
) -> tuple[np.ndarray, Any]:
    target = molecules.target[:, task]
    is_read = ~np.isnan(features).all(axis=1)
    train = molecules.parts['train']
    labelled = train[~np.isnan(target[train]) & is_read[train]]
    out = np.full(len(target), np.nan, dtype=np.float32)
    labels = target[labelled]
    if len(np.unique(labels)) < 2:  # Of a task with one class, or no label.
        out[:] = labels[0] if len(labels) else 0.0
        return out, None
    model = make_model(molecules, task)
    model.fit(features[labelled], labels)
    for part in PREDICTED:
        rows = molecules.parts[part]
        rows = rows[is_read[rows]]
        out[rows] = (
            model.predict(features[rows])
            if molecules.is_regression
            else model.predict_proba(features[rows])[:, 1]
        )
    return out, model
