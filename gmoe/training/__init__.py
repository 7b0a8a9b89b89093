"""Glue between the models and Lightning."""

from gmoe.training.callbacks import (
    BestCheckpoint,
    EpochSeed,
    LastCheckpoint,
    PredictionWriter,
)
from gmoe.training.data import (
    GraphDataModule,
    HopMixtureDataModule,
    OGBMolDataModule,
)
from gmoe.training.divergence import TrainingDivergedError
from gmoe.training.graphs import GraphPredictor
from gmoe.training.metrics import (
    METRIC_MODES,
    CategoryScore,
    ExpertUsage,
    GraphScore,
)
from gmoe.training.module import GraphModule
from gmoe.training.triples import TriplePredictor
from gmoe.training.webnlg import WebNLGDataModule

__all__ = [
    'METRIC_MODES',
    'BestCheckpoint',
    'CategoryScore',
    'EpochSeed',
    'ExpertUsage',
    'GraphDataModule',
    'GraphModule',
    'GraphPredictor',
    'GraphScore',
    'HopMixtureDataModule',
    'LastCheckpoint',
    'OGBMolDataModule',
    'PredictionWriter',
    'TrainingDivergedError',
    'TriplePredictor',
    'WebNLGDataModule',
]
