"""Leaves what the uncertainty of predictions needs, after a training."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn

from gmoe.common.shown import counted
from gmoe.molecules.calibration_data import CalibrationData
from gmoe.molecules.exported import CALIBRATION
from gmoe.molecules.uncertainty.nearest import fingerprints
from gmoe.training.graph_data_module import GraphDataModule
from gmoe.training.graph_predictor import GraphPredictor


class CalibrationWriter(Callback):
    """Writes ``calibration.safetensors`` at the end of a training on
    molecules: the predictions of the best epoch for the validation split, and
    the fingerprints of the training split. Data without SMILES strings leave
    nothing.

    Args:
        folder: The run's folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        data = getattr(trainer, 'datamodule', None)
        best = getattr(trainer.checkpoint_callback, 'best_model_path', '')
        if (
            not trainer.is_global_zero
            or not isinstance(pl_module, GraphPredictor)
            or not isinstance(data, GraphDataModule)
            or not hasattr(data.dataset, 'smiles')
            or not best
        ):
            return
        network = type(pl_module).load_from_checkpoint(
            best, map_location=trainer.strategy.root_device
        )
        try:
            made = calibration_data(network, data)
        except (ImportError, FileNotFoundError) as error:
            rank_zero_warn(f'Leaves nothing for uncertainty: {error}')
            return
        path = self.folder / CALIBRATION
        made.save(path)
        known = int(np.isfinite(made.target).any(axis=1).sum())
        rank_zero_info(
            'Uncertainty is calibrated on '
            f'{counted(known, "validation molecule")}: '
            f'{path}'
        )


def calibration_data(
    network: GraphPredictor, data: GraphDataModule
) -> CalibrationData:
    """Predicts for the validation split, and makes the fingerprints of the
    training split.

    Args:
        network: The trained network.
        data: Its data, which has been set up and whose dataset has SMILES
            strings.

    Raises:
        FileNotFoundError: If a dataset of OGB comes without them.
        ImportError: If RDKit is not installed.
    """
    dataset: Any = data.dataset
    smiles = (dataset.smiles(int(i)) for i in data.splits['train'])
    packed = fingerprints(smiles)
    joined = predicted(network, data, data.val_dataloader()[0])
    target = joined['target'].astype(np.float64)
    if network.task.is_multiclass:
        target[target < 0] = np.nan
    return CalibrationData(
        joined['prediction'].astype(np.float32),
        target,
        joined['graph_id'].astype(np.int64).ravel(),
        packed,
    )


@torch.no_grad()
def predicted(
    network: GraphPredictor, data: GraphDataModule, loader: Iterable[Any]
) -> dict[str, np.ndarray]:
    """Predicts for all batches of a split.

    Args:
        network: The trained network.
        data: Its data.
        loader: The batches.

    Returns:
        What :meth:`GraphPredictor.predict_step` gives, by name.
    """
    network.eval()
    parts: dict[str, list[np.ndarray]] = {}
    for batch in loader:
        if data.two_hop is not None and 'edge_index_2hop' not in batch:
            batch = data.two_hop(batch)
        made = network.predict_step(batch.to(network.device), 0)
        for key, value in made.items():
            parts.setdefault(key, []).append(value.cpu().numpy())
    return {key: np.concatenate(value) for key, value in parts.items()}
