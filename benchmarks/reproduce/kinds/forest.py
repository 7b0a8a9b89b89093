"""A run without a network: a random forest on Morgan fingerprints, or on
features of molecules such as descriptors."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.reproduce.job import Job
from benchmarks.reproduce.kinds import tabular
from benchmarks.reproduce.kinds.molecules import Molecules


def train(job: Job) -> dict[str, Any]:
    """Fits one forest per task to the labelled molecules of the training
    split.

    Returns:
        Its result.
    """
    settings = job.run.cell.settings['forest']

    def make_features(molecules: Molecules) -> np.ndarray:
        if 'features' in settings:
            return tabular.molecule_features(molecules, settings['features'])
        return fingerprints(
            molecules.smiles, settings['radius'], settings['num_bits']
        )

    def make_model(molecules: Molecules, task: int) -> Any:
        from sklearn import ensemble

        is_regression = molecules.is_regression
        name = 'Regressor' if is_regression else 'Classifier'
        return getattr(ensemble, f'RandomForest{name}')(
            settings['num_trees'],
            random_state=tabular.task_seed(job, task),
            n_jobs=job.threads,
        )

    return tabular.train(job, make_features, make_model, _count)


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


def _count(model: Any) -> int:
    return sum(tree.tree_.node_count for tree in model.estimators_)
