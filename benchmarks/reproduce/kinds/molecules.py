"""What the kinds that are not our networks share: a dataset's SMILES, targets
and split, and the scores of predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.reproduce.job import PREDICTIONS, Job
from benchmarks.reproduce.kinds.parts import parts_of
from benchmarks.reproduce.store import finite
from gmoe.common.require import require
from gmoe.datasets import OGBMolDataset
from gmoe.training import GraphScore

#: The parts that are predicted.
PREDICTED = ('valid', 'test')


@dataclass(frozen=True)
class Molecules:
    """A dataset as chemists have it.

    Args:
        name: The dataset's name, as the evaluator knows it.
        metric: The name of the score.
        is_regression: Whether targets are numbers and not classes.
        smiles: The molecules.
        target: Their targets, NaN where missing.
        parts: The rows of each part of the split.
    """

    name: str
    metric: str
    is_regression: bool
    smiles: list[str]
    target: np.ndarray
    parts: dict[str, np.ndarray]

    def readable(self) -> np.ndarray:
        """Which rows RDKit reads. It refuses some molecules that OGB let
        through; whoever needs it does without them in training, and predicts
        the mean of the training labels for them (see :meth:`filled`)."""
        chem = require('rdkit.Chem', 'mol')
        require('rdkit.RDLogger', 'mol').DisableLog('rdApp.*')
        return np.array(
            [chem.MolFromSmiles(text) is not None for text in self.smiles]
        )

    def filled(self, prediction: np.ndarray) -> np.ndarray:
        """Predictions, with the mean of the training labels where there is
        none.

        Args:
            prediction: A row for each molecule, NaN where there is none.
        """
        with np.errstate(invalid='ignore'):
            mean = np.nanmean(self.target[self.parts['train']], axis=0)
        return np.where(np.isnan(prediction), mean, prediction)

    def scores(
        self, job: Job, prediction: np.ndarray
    ) -> dict[str, float | None]:
        """The scores of predictions; those of the test part are kept for the
        mean over seeds.

        Args:
            job: The run.
            prediction: A row for each molecule of the dataset.
        """
        test = self.parts['test']
        np.savez_compressed(
            job.folder / PREDICTIONS,
            prediction=prediction[test],
            target=self.target[test],
        )
        return {
            part: self._score(prediction, self.parts[part])
            for part in PREDICTED
        }

    def _score(self, prediction: np.ndarray, rows: np.ndarray) -> float | None:
        score = GraphScore(self.name, self.metric)
        score.update(
            torch.from_numpy(prediction[rows].astype(np.float32)),
            torch.from_numpy(self.target[rows]),
            torch.arange(len(rows)),
        )
        return finite(score.compute())


def load(job: Job) -> Molecules:
    """The dataset of a run.

    Args:
        job: The run.
    """
    name = f'ogbg-{job.run.cell.dataset}'
    data = OGBMolDataset(name, job.root, download=False)
    return Molecules(
        name,
        data.eval_metric,
        data.task_type == 'regression',
        [data.smiles(i) for i in range(len(data))],
        data._data.y.numpy(),
        {part: rows.numpy() for part, rows in parts_of(job, data).items()},
    )


def joined(parts: dict[str, np.ndarray], names: Sequence[str]) -> np.ndarray:
    """The rows of some parts, one part after the other.

    Args:
        parts: The rows of each part.
        names: The names of parts.
    """
    return np.concatenate([parts[name] for name in names])
