"""The split of a run: that of the dataset, or a fold of a cross-validation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from benchmarks.reproduce.job import Job


def fold_of(split: dict[str, Any], seed: int) -> tuple[int, int]:
    """The repetition and the fold of a run. The runs of a cell are all folds
    of the first repetition, then those of the next one.

    Args:
        split: The setting, with the number of folds.
        seed: The seed of the run.
    """
    return divmod(seed, split['folds'])


def parts_of(job: Job, dataset: Any) -> dict[str, Tensor]:
    """The rows of the training, validation and test part.

    Args:
        job: The run.
        dataset: The molecules, with the official split.
    """
    setting = job.run.cell.settings.get('split')
    if setting is None:
        return dataset.get_idx_split()
    # Not above: a network on the official split needs no RDKit.
    from gmoe.datasets.molecules.molecule import Molecule, prepare
    from gmoe.datasets.molecules.splits import split

    # Those that are refused are copies of none.
    found = [prepare(dataset.smiles(i)) for i in range(len(dataset))]
    kept = [i for i, m in enumerate(found) if isinstance(m, Molecule)]
    repetition, fold = fold_of(setting, job.run.seed)
    parts = split(
        setting['kind'],
        [found[i].canonical for i in kept],
        seed=repetition,
        folds=setting['folds'],
        fold=fold,
    )
    rows = torch.tensor(kept)
    return {part: rows[index] for part, index in parts.items()}
