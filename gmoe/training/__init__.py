"""Glue between the models and Lightning."""

from gmoe.training.callbacks import (
    BestCheckpoint,
    EpochSeed,
    LastCheckpoint,
    PredictionWriter,
)
from gmoe.training.graph_data_module import GraphDataModule
from gmoe.training.graph_module import GraphModule
from gmoe.training.graph_predictor import GraphPredictor
from gmoe.training.hop_mixture_data_module import HopMixtureDataModule
from gmoe.training.link_data_module import LinkDataModule
from gmoe.training.link_predictor import LinkPredictor
from gmoe.training.metrics import (
    METRIC_MODES,
    CategoryScore,
    ExpertUsage,
    GraphScore,
    LinkScore,
)
from gmoe.training.molecule_data_module import MoleculeDataModule
from gmoe.training.node_data_module import NodeDataModule
from gmoe.training.node_predictor import NodePredictor
from gmoe.training.ogb_mol_data_module import OGBMolDataModule
from gmoe.training.one_graph_data_module import OneGraphDataModule
from gmoe.training.peptides_data_module import PeptidesDataModule
from gmoe.training.triple_predictor import TriplePredictor
from gmoe.training.watched_module import TrainingDivergedError
from gmoe.training.webnlg_data_module import WebNLGDataModule

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
    'LinkDataModule',
    'LinkPredictor',
    'LinkScore',
    'MoleculeDataModule',
    'NodeDataModule',
    'NodePredictor',
    'OGBMolDataModule',
    'OneGraphDataModule',
    'PeptidesDataModule',
    'PredictionWriter',
    'TrainingDivergedError',
    'TriplePredictor',
    'WebNLGDataModule',
]
