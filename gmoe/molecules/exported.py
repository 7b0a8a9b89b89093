"""The folder in which a trained network is given to others.

It holds ``config.json`` (what the network is and predicts),
``model.safetensors`` (its weights, and the statistics of targets and features
in training), ``calibration.safetensors`` (what the uncertainty of predictions
is made of, where it is known) and the model card ``README.md``. None of them
can run code when it is read.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import gmoe
from gmoe.common.files import (
    make_dirs,
    remove_empty,
    remove_stale,
    replace_text,
    temporary_folder,
)
from gmoe.common.model_card import ModelCard
from gmoe.common.model_folder import (
    CARD,
    CONFIG,
    WEIGHTS,
    arguments_of,
    make_module,
    read_config,
    read_weights,
    refused,
    write_config,
    write_weights,
)
from gmoe.datasets.molecules.info import MoleculeInfo
from gmoe.molecules.calibration_data import CalibrationData
from gmoe.molecules.member import Member
from gmoe.ops.two_hop import MODES
from gmoe.training.graph_predictor import GraphPredictor

#: The name of the file for the uncertainty of predictions.
CALIBRATION = 'calibration.safetensors'

_MODEL = 'GraphPredictor'
#: What predictions depend on besides gmoe.
_PACKAGES = ('torch', 'torch-geometric', 'rdkit')


def read_exported(folder: Path, name: str = 'model') -> Member:
    """Reads an exported folder that may come from anywhere.

    Args:
        folder: The folder.
        name: What the argument is called that gives it.

    Raises:
        ImportError: If safetensors is not installed.
        ValueError: If it is no such folder, is damaged, or of a newer
            version.
    """
    config = read_config(folder, name)
    arguments = arguments_of(config, _MODEL, folder, name)
    try:
        info = MoleculeInfo.from_dict(config.get('molecules'))
    except ValueError as error:
        reason = f'of the molecules in its {CONFIG}: {error}'
        raise refused(folder, name, reason) from error
    two_hop = config.get('two_hop', MODES[0])
    training = config.get('training', {})
    if two_hop not in MODES or not isinstance(training, dict):
        raise refused(
            folder, name, f"'two_hop' in its {CONFIG} must be of {MODES}"
        )
    weights = read_weights(folder, WEIGHTS, name)
    predictor = make_module(GraphPredictor, arguments, weights, folder, name)
    calibration = folder / CALIBRATION
    try:
        return Member(
            predictor.eval(),
            info,
            two_hop,
            calibration if calibration.is_file() else None,
            config.get('is_ogb') is True,
            training,
        )
    except ValueError as error:
        raise refused(folder, name, str(error)) from error


def write_exported(folder: Path, member: Member, card: ModelCard) -> None:
    """Writes a trained network to a folder that is not read by others yet;
    see :func:`new_folder`.

    Args:
        folder: The folder, which is empty.
        member: The network.
        card: The model card.

    Raises:
        ImportError: If safetensors is not installed.
        OSError: If the folder cannot be written.
        ValueError: If a setting of the network is no plain value.
    """
    predictor = member.predictor
    arguments = {
        name: value
        for name, value in predictor.hparams.items()
        if not name.startswith('_')  # Of the command line.
    }
    write_weights(folder / WEIGHTS, predictor.state_dict())
    write_config(
        folder,
        {
            'model': _MODEL,
            'gmoe_version': gmoe.__version__,
            'versions': _versions(),
            'molecules': member.info.to_dict(),
            'two_hop': member.two_hop,
            'is_ogb': member.is_ogb,
            'training': member.training,
            'arguments': arguments,
        },
    )
    calibration = member.calibration
    if isinstance(calibration, CalibrationData):
        calibration.save(folder / CALIBRATION)
    elif calibration is not None:
        shutil.copyfile(calibration, folder / CALIBRATION)
    replace_text(folder / CARD, str(card))


@contextlib.contextmanager
def new_folder(folder: Path, name: str = 'folder') -> Iterator[Path]:
    """Makes a folder whose content appears at once, or not at all.

    Args:
        folder: The folder, which must not exist, or be empty.
        name: What the argument is called that gives it.

    Yields:
        The folder to write to, beside it.

    Raises:
        ValueError: If there is something, or it cannot be written.
    """
    wanted = f"'{name}' must be a folder that does not exist yet, got"
    is_free = not folder.exists() or (
        folder.is_dir() and not any(folder.iterdir())
    )
    if folder.is_symlink() or not is_free:
        raise ValueError(f"{wanted} '{folder}', which is not overwritten")
    made: list[Path] = []
    try:
        made = make_dirs(folder.parent)
        remove_stale(folder.parent)
        with temporary_folder(folder.absolute()) as partial:
            yield partial
            os.rename(partial, folder)
    except BaseException as error:
        remove_empty(made)
        if isinstance(error, OSError):
            reason = error.strerror or error
            raise ValueError(
                f"{wanted} '{folder}', which cannot be written: {reason}"
            ) from error
        raise


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found
