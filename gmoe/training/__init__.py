"""Glue between the models and Lightning."""

from gmoe.training.callbacks import (
    EpochSeed,
    LastCheckpoint,
    PredictionWriter,
)
from gmoe.training.data import (
    GraphDataModule,
    HopMixtureDataModule,
    OGBMolDataModule,
)
from gmoe.training.metrics import METRIC_MODES, ExpertUsage, GraphScore
from gmoe.training.module import GraphPredictor

__all__ = [
    'METRIC_MODES',
    'EpochSeed',
    'ExpertUsage',
    'GraphDataModule',
    'GraphPredictor',
    'GraphScore',
    'HopMixtureDataModule',
    'LastCheckpoint',
    'OGBMolDataModule',
    'PredictionWriter',
]
