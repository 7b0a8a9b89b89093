"""Your own molecules: predictions, uncertainty, explanations, sharing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gmoe.common.lazy import lazy

if TYPE_CHECKING:
    from gmoe.molecules.export import export_run
    from gmoe.molecules.molecule_model import MoleculeModel
    from gmoe.molecules.predictions import Predictions
    from gmoe.molecules.pretrain_gnns import load_pretrain_gnns
    from gmoe.molecules.pretrain_gnns_codes import pretrain_gnns_graph
    from gmoe.molecules.trained_model import TrainedModel

__all__ = [
    'MoleculeModel',
    'Predictions',
    'TrainedModel',
    'export_run',
    'load_pretrain_gnns',
    'pretrain_gnns_graph',
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        'MoleculeModel': 'gmoe.molecules.molecule_model',
        'Predictions': 'gmoe.molecules.predictions',
        'TrainedModel': 'gmoe.molecules.trained_model',
        'export_run': 'gmoe.molecules.export',
        'load_pretrain_gnns': 'gmoe.molecules.pretrain_gnns',
        'pretrain_gnns_graph': 'gmoe.molecules.pretrain_gnns_codes',
    },
)
