"""Tiny networks for molecules, as runs leave them."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from gmoe.datasets.molecules.info import MULTICLASS, MoleculeInfo
from gmoe.molecules.calibration_data import CalibrationData
from gmoe.molecules.exported import CALIBRATION
from gmoe.molecules.uncertainty.nearest import fingerprints
from gmoe.nn import ATOM_FEATURE_DIMS, BOND_FEATURE_DIMS
from gmoe.training import GraphPredictor

SMILES = ('CCO', 'c1ccccc1O', 'CC(=O)Nc1ccc(O)cc1', 'CCN(CC)CC', 'C[C@H](N)O')
REGRESSION = MoleculeInfo(('solubility',), 'regression', None)
BINARY = MoleculeInfo(('toxic',), 'binary classification', ('no', 'yes'))
SEVERAL = MoleculeInfo(
    ('kind',), 'multiclass classification', ('acid', 'base', 'none')
)
METRICS = {
    'regression': 'rmse',
    'binary classification': 'acc',
    'multiclass classification': 'accuracy',
}


def make_predictor(
    info: MoleculeInfo = REGRESSION, seed: int = 0, **kwargs: Any
) -> GraphPredictor:
    torch.manual_seed(seed)
    predictor = GraphPredictor(
        **{
            'dataset': 'molecules',
            'task_type': info.task_type,
            'metric': METRICS[info.task_type],
            'node_dims': ATOM_FEATURE_DIMS,
            'edge_dims': BOND_FEATURE_DIMS,
            'hidden_channels': 8,
            'num_layers': 2,
            'num_experts': 4,
            'num_experts_1hop': 2,
            'top_k': 2,
            'out_channels': info.num_outputs,
            **kwargs,
        }
    )
    # As the scores start at zero, the first experts would do all.
    for name, value in predictor.named_parameters():
        if 'router' in name:
            torch.nn.init.normal_(value)
    return predictor.eval()


def write_checkpoint(
    path: Path,
    predictor: GraphPredictor,
    info: MoleculeInfo | None = REGRESSION,
    two_hop: str = 'exact',
    **kwargs: Any,
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = {'init_args': {'two_hop': two_hop}}
    checkpoint = {
        'state_dict': predictor.state_dict(),
        'hyper_parameters': dict(predictor.hparams),
        'epoch': 1,
        'callbacks': {'RunSettings': {'data': data}},
        **kwargs,
    }
    if info is not None:
        checkpoint['molecules'] = {'info': info.to_dict()}
    torch.save(checkpoint, path)


def write_run(
    folder: Path,
    info: MoleculeInfo = REGRESSION,
    seed: int = 0,
    count: int | None = 40,
    **kwargs: Any,
) -> Path:
    """A run's folder, whose validation split has as many molecules, with
    predictions that are drawn."""
    predictor = make_predictor(info, seed)
    write_checkpoint(
        folder / 'checkpoints' / 'best.ckpt', predictor, info, **kwargs
    )
    if count is not None:
        make_calibration(info, count, seed).save(folder / CALIBRATION)
    return folder


def make_calibration(
    info: MoleculeInfo, count: int, seed: int = 0
) -> CalibrationData:
    draw = np.random.default_rng(seed)
    shape = (count, info.num_outputs)
    target = np.random.default_rng(count).integers(
        0, 2, (count, info.num_tasks)
    )
    if info.task_type == 'regression':
        prediction = target + draw.normal(size=shape)
    elif info.task_type == MULTICLASS:
        prediction = draw.dirichlet(np.ones(shape[1]), count)
    else:
        prediction = draw.uniform(size=shape)
    return CalibrationData(
        prediction.astype(np.float32),
        target.astype(np.float64),
        np.arange(count),
        fingerprints(SMILES[:3]),
    )
