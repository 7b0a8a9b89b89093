"""A run of gradient boosting: LightGBM with its default parameters."""

from __future__ import annotations

from typing import Any

from benchmarks.reproduce.job import Job
from benchmarks.reproduce.kinds import tabular
from benchmarks.reproduce.kinds.molecules import Molecules
from gmoe.common.require import require


def train(job: Job) -> dict[str, Any]:
    """Fits the trees of each task.

    Returns:
        The run's result.
    """
    settings = job.run.cell.settings['boosting']
    package = require('lightgbm', 'peers')

    def make_model(molecules: Molecules, task: int) -> Any:
        is_regression = molecules.is_regression
        model = 'LGBMRegressor' if is_regression else 'LGBMClassifier'
        return getattr(package, model)(
            random_state=tabular.task_seed(job, task) % 2**31,
            n_jobs=job.threads,
            verbose=-1,
        )

    result = tabular.train(
        job,
        lambda found: tabular.molecule_features(found, settings['features']),
        make_model,
        _count,
    )
    return {**result, 'version': package.__version__}


def _count(model: Any) -> int:
    # The nodes of all trees: a leaf more than there are splits.
    leaves = model.booster_.trees_to_dataframe()['left_child'].isna().sum()
    return int(2 * leaves - model.booster_.num_trees())
