"""The mean prediction of a cell's seeds."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch

from benchmarks.reproduce.job import PREDICTIONS
from benchmarks.reproduce.run import Run
from benchmarks.reproduce.store import finite
from gmoe.training import GraphScore


def ensemble(
    runs: Sequence[Run], metric: str, folder: Path
) -> dict[str, Any] | None:
    """The test score of the runs' mean prediction.

    Args:
        runs: The runs of one cell.
        metric: The name of the score.
        folder: The folder of all runs.

    Returns:
        The result, :obj:`None` if predictions cannot be read, as when the
        machine went down while they were written.
    """
    predictions, target = [], None
    for run in runs:
        try:
            with np.load(run.folder(folder) / PREDICTIONS) as arrays:
                predictions.append(arrays['prediction'].astype(np.float64))
                target = arrays['target']
        except (
            OSError,
            EOFError,
            ValueError,
            KeyError,
            BadZipFile,
            zlib.error,
        ):
            return None
    assert target is not None
    mean = torch.from_numpy(np.mean(predictions, axis=0))
    cell = runs[0].cell
    score = GraphScore(f'ogbg-{cell.dataset}', metric)
    score.update(mean, torch.from_numpy(target), torch.arange(len(mean)))
    return {
        'kind': 'ensemble',
        'dataset': cell.dataset,
        'row': cell.row,
        'seeds': [run.seed for run in runs],
        'digest': runs[0].digest,
        'metric': metric,
        'test': finite(score.compute()),
    }
