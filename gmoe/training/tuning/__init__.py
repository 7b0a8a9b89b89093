"""The search of settings, on validation, by Ray Tune and Optuna."""

from gmoe.training.tuning.cluster import Resources
from gmoe.training.tuning.defaults import default_space
from gmoe.training.tuning.search import StoppedError, search
from gmoe.training.tuning.space import Space
from gmoe.training.tuning.study import Study
from gmoe.training.tuning.trial import Trial
from gmoe.training.tuning.work import Job, as_options

__all__ = [
    'Job',
    'Resources',
    'Space',
    'StoppedError',
    'Study',
    'Trial',
    'as_options',
    'default_space',
    'search',
]
