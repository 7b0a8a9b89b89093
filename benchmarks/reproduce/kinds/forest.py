"""A run without a network: Morgan fingerprints and a random forest."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch

from benchmarks.common.memory import peak_memory, reset_peak_memory
from benchmarks.reproduce.job import PREDICTIONS, Job
from benchmarks.reproduce.store import finite
from gmoe.datasets import OGBMolDataset
from gmoe.training import GraphScore


def train(job: Job) -> dict[str, Any]:
    """Fits one forest per task to the labelled molecules of the training
    split.

    Returns:
        Its result.
    """
    settings = job.run.cell.settings['forest']
    name = f'ogbg-{job.run.cell.dataset}'
    data = OGBMolDataset(name, job.root, download=False)
    splits = data.get_idx_split()
    reset_peak_memory()
    start = time.perf_counter()
    bits = fingerprints(
        [data.smiles(i) for i in range(len(data))],
        settings['radius'],
        settings['num_bits'],
    )
    target = data._data.y.numpy()
    parts = {part: index.numpy() for part, index in splits.items()}
    fitted = [
        _fit(bits, target[:, task], parts, data.task_type, job, task)
        for task in range(target.shape[1])
    ]
    seconds = round(time.perf_counter() - start, 3)
    prediction = {
        part: np.stack([column[part] for column, _ in fitted], axis=1)
        for part in ('valid', 'test')
    }
    scores = {
        part: _score(name, data.eval_metric, values, target[parts[part]])
        for part, values in prediction.items()
    }
    np.savez_compressed(
        job.folder / PREDICTIONS,
        prediction=prediction['test'],
        target=target[parts['test']],
    )
    return {
        'metric': data.eval_metric,
        **scores,
        'best_epoch': None,
        'num_parameters': sum(num_nodes for _, num_nodes in fitted),
        'flops_per_graph': None,
        'curve': {},
        'measured': {
            'seconds': seconds,
            'train_seconds': seconds,
            'peak_memory': peak_memory(),
        },
    }


def fingerprints(smiles: list[str], radius: int, num_bits: int) -> np.ndarray:
    """Morgan fingerprints, as zeros and ones.

    Args:
        smiles: The molecules.
        radius: How far an atom's surroundings go.
        num_bits: The size.
    """
    try:
        from rdkit import Chem, RDLogger
        from rdkit.Chem import rdFingerprintGenerator
    except ImportError as error:
        raise ImportError(
            "the row 'forest' needs rdkit: pip install rdkit"
        ) from error
    RDLogger.DisableLog('rdApp.*')
    generator = rdFingerprintGenerator.GetMorganGenerator(
        radius=radius, fpSize=num_bits
    )
    out = np.zeros((len(smiles), num_bits), dtype=np.float32)
    for row, text in zip(out, smiles):
        molecule = Chem.MolFromSmiles(text)
        if molecule is None:  # Odd valences, which OGB let through.
            molecule = Chem.MolFromSmiles(text, sanitize=False)
            molecule.UpdatePropertyCache(strict=False)
            Chem.FastFindRings(molecule)
        row[:] = generator.GetFingerprintAsNumPy(molecule)
    return out


def _fit(
    bits: np.ndarray,
    target: np.ndarray,
    parts: dict[str, np.ndarray],
    task_type: str,
    job: Job,
    task: int,
) -> tuple[dict[str, np.ndarray], int]:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    labelled = parts['train'][~np.isnan(target[parts['train']])]
    is_regression = task_type == 'regression'
    forest = RandomForestRegressor if is_regression else RandomForestClassifier
    seed = np.random.SeedSequence((job.run.seed, task)).generate_state(1)
    model = forest(
        job.run.cell.settings['forest']['num_trees'],
        random_state=int(seed[0]),
        n_jobs=job.threads,
    )
    labels = target[labelled]
    if len(np.unique(labels)) < 2:  # Of a task with one class, or no label.
        value = labels[0] if len(labels) else 0.0
        return {
            part: np.full(len(parts[part]), value, dtype=np.float32)
            for part in ('valid', 'test')
        }, 0
    model.fit(bits[labelled], labels)
    out = {}
    for part in ('valid', 'test'):
        rows = bits[parts[part]]
        values = (
            model.predict(rows)
            if is_regression
            else model.predict_proba(rows)[:, 1]
        )
        out[part] = values.astype(np.float32)
    return out, sum(tree.tree_.node_count for tree in model.estimators_)


def _score(
    name: str, metric: str, prediction: np.ndarray, target: np.ndarray
) -> float | None:
    score = GraphScore(name, metric)
    score.update(
        torch.from_numpy(prediction),
        torch.from_numpy(target),
        torch.arange(len(target)),
    )
    return finite(score.compute())
