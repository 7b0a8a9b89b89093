"""Callbacks of a training: seeds, checkpoints and predictions."""

from gmoe.training.callbacks.averaged_weights import AveragedWeights
from gmoe.training.callbacks.best_checkpoint import BestCheckpoint
from gmoe.training.callbacks.early_stop import EarlyStop
from gmoe.training.callbacks.epoch_seed import EpochSeed
from gmoe.training.callbacks.last_checkpoint import LastCheckpoint
from gmoe.training.callbacks.parameter_count import ParameterCount
from gmoe.training.callbacks.prediction_writer import PredictionWriter
from gmoe.training.callbacks.routing_writer import RoutingWriter
from gmoe.training.callbacks.skipped_rows import SkippedRows

__all__ = [
    'AveragedWeights',
    'BestCheckpoint',
    'EarlyStop',
    'EpochSeed',
    'LastCheckpoint',
    'ParameterCount',
    'PredictionWriter',
    'RoutingWriter',
    'SkippedRows',
]
