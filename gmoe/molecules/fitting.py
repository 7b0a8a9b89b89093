"""Training on a table in memory, as ``gmoe fit`` trains on a file."""

from __future__ import annotations

import inspect
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import seed_everything
from lightning.pytorch.callbacks import RichProgressBar
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor

from gmoe.common.shown import shown
from gmoe.datasets.molecules.dataset import MoleculeDataset
from gmoe.datasets.molecules.features import MoleculeFeatures
from gmoe.datasets.molecules.info import REGRESSION
from gmoe.datasets.molecules.splits import split
from gmoe.datasets.molecules.table import MoleculeTable
from gmoe.molecules.calibration_data import CalibrationData
from gmoe.molecules.calibration_writer import calibration_data
from gmoe.molecules.fit_settings import FitSettings
from gmoe.nn import ATOM_FEATURE_DIMS, BOND_FEATURE_DIMS
from gmoe.training.callbacks import BestCheckpoint, EpochSeed
from gmoe.training.checkpoint import read_checkpoint
from gmoe.training.graph_data_module import GraphDataModule
from gmoe.training.graph_predictor import GraphPredictor
from gmoe.training.molecule_data_module import METRICS

#: The largest share of molecules that is held out of a small table.
_MOST_HELD_OUT = 0.4
_SEED = 'PL_GLOBAL_SEED'


@dataclass(frozen=True)
class Fitted:
    """What a training has made.

    Args:
        predictors: The networks, in evaluation mode.
        calibrations: What each has predicted for the molecules that it was
            validated on.
        dataset: The molecules.
        two_hop: Which hop-2 edges the networks read.
    """

    predictors: list[GraphPredictor]
    calibrations: list[CalibrationData]
    dataset: MoleculeDataset
    two_hop: str


class _TableModule(GraphDataModule):
    """The batches of a dataset in memory."""

    name = 'molecules'
    node_dims = ATOM_FEATURE_DIMS
    edge_dims = BOND_FEATURE_DIMS

    def __init__(
        self,
        dataset: MoleculeDataset,
        parts: dict[str, Tensor],
        eval_metric: str | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.dataset, self.splits = dataset, parts
        self.num_tasks = dataset.num_tasks
        self.num_classes = dataset.num_classes
        self.task_type = dataset.task_type
        self.eval_metric = eval_metric or METRICS[dataset.task_type]
        features = dataset._data.get('graph_attr')
        self.graph_dims = None if features is None else features.size(1)

    def load(self) -> MoleculeDataset:
        assert isinstance(self.dataset, MoleculeDataset)
        return self.dataset


def fit_table(
    table: MoleculeTable,
    settings: FitSettings,
    seed: int,
    num_members: int = 1,
    valid_share: float = 0.1,
    kind: str | None = None,
    verbose: bool = False,
    **trainer: Any,
) -> Fitted:
    """Trains networks on a table. Nothing stays on the disk, and random
    numbers of others stay as they are.

    Args:
        table: The molecules.
        settings: The settings.
        seed: The seed; that of each member comes from it.
        num_members: The number of networks. They are validated on the same
            molecules.
        valid_share: The share of molecules on which the best epoch is chosen.
        kind: How these are drawn; see
            :func:`~gmoe.datasets.molecules.splits.split`. (default: stratified
            for classes, at random for values)
        verbose: Whether to print what is decided, and the progress.
        **trainer: Arguments of the trainer that take precedence.

    Raises:
        ValueError: If a setting is out of range, or molecules are too few.
    """
    data = dict(settings.data)
    features = data.get('features')
    if data.get('feature_columns'):
        raise ValueError(
            "'feature_columns' must be None for molecules in memory, got "
            f'{shown(data["feature_columns"])}: train from a file by gmoe fit'
        )
    computed = None if features is None else MoleculeFeatures(features)
    if computed is not None:
        info = replace(table.info, features=computed.to_dict())
        table = replace(table, info=info)
    with (
        tempfile.TemporaryDirectory(prefix='gmoe-') as folder,
        _quiet(verbose),
        isolate_rng(),
        _seed_kept(),
    ):
        dataset = MoleculeDataset.from_table(
            table, computed, cache_dir=folder, log=verbose
        )
        parts = _parts(dataset, seed, valid_share, kind)
        names = inspect.signature(GraphDataModule.__init__).parameters
        arguments = {k: v for k, v in data.items() if k in names}
        predictors, calibrations = [], []
        for member in range(num_members):
            module = _TableModule(
                dataset, parts, data.get('eval_metric'), **arguments
            )
            predictors.append(
                _fit_member(
                    module,
                    settings,
                    seed + member,
                    Path(folder, str(member)),
                    verbose,
                    trainer,
                )
            )
            calibrations.append(calibration_data(predictors[-1], module))
    two_hop = 'exact' if module.two_hop is None else module.two_hop.mode
    return Fitted(predictors, calibrations, dataset, two_hop)


def _fit_member(
    module: _TableModule,
    settings: FitSettings,
    seed: int,
    folder: Path,
    verbose: bool,
    trainer: dict[str, Any],
) -> GraphPredictor:
    seed_everything(seed, verbose=False)
    predictor = GraphPredictor(
        **{
            **settings.model,
            'dataset': module.name,
            'task_type': module.task_type,
            'metric': module.eval_metric,
            'out_channels': module.num_outputs,
            'node_dims': module.node_dims,
            'edge_dims': module.edge_dims,
            'graph_dims': module.graph_dims,
        }
    )
    best = BestCheckpoint(
        folder,
        filename='best',
        monitor=module.monitor,
        mode=module.monitor_mode,
        enable_version_counter=False,
        save_on_train_epoch_end=True,
    )
    callbacks: list[Any] = [EpochSeed(seed), best]
    if verbose:
        callbacks.append(RichProgressBar())
    settings.make_trainer(
        callbacks,
        logger=False,
        enable_model_summary=False,
        enable_progress_bar=verbose,
        default_root_dir=str(folder),
        **trainer,
    ).fit(predictor, module)
    # A new one, which holds neither the trainer nor its data.
    checkpoint = read_checkpoint(folder / 'best.ckpt')
    trained = GraphPredictor(**predictor.hparams)
    trained.load_state_dict(checkpoint['state_dict'])
    return trained.eval()


def _parts(
    dataset: MoleculeDataset, seed: int, share: float, kind: str | None
) -> dict[str, Tensor]:
    # Three parts are drawn, and the last one joins the first.
    count = len(dataset)
    share = min(max(share, 2 / count), _MOST_HELD_OUT)
    if kind is None:
        kind = 'random' if dataset.task_type == REGRESSION else 'stratified'
    smiles = [dataset.smiles(i) for i in range(count)]
    y = dataset._data.y.view(count, -1).numpy()
    shares = (1 - 2 * share, share, share)
    parts = split(kind, smiles, y, seed, shares=shares)
    train = torch.cat([parts['train'], parts['test']]).sort().values
    return {'train': train, 'valid': parts['valid'], 'test': parts['valid']}


@contextmanager
def _quiet(verbose: bool) -> Iterator[None]:
    """Leaves out what Lightning says of itself and of the machine."""
    if verbose:
        yield
        return
    logger = logging.getLogger('lightning.pytorch')
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings('ignore', module='lightning')
            warnings.filterwarnings('ignore', message='.*is not defined: ')
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def _seed_kept() -> Iterator[None]:
    # Batches are shuffled by this variable, as in a run.
    before = os.environ.get(_SEED)
    try:
        yield
    finally:
        os.environ.pop(_SEED, None)
        os.environ.pop('PL_SEED_WORKERS', None)
        if before is not None:
            os.environ[_SEED] = before
