"""A run, or the runs of an ensemble, as a folder that is given to others."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from gmoe.common.model_folder import CONFIG
from gmoe.molecules.cards import (
    joint_facts,
    molecule_card,
    run_facts,
    validation_scores,
)
from gmoe.molecules.fitted_model import write_members
from gmoe.molecules.load import load_members, member_folders
from gmoe.molecules.trained_model import TrainedModel
from gmoe.training.checkpoint import read_checkpoint


def export_run(
    source: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    license: str | None = None,
    **card: Any,
) -> Path:
    """Writes a trained network, or an ensemble, to a folder that can be given
    to others: JSON, safetensors and a model card, no pickle. What the card
    says is what the run tells of itself.

    Args:
        source: The folder of a run or an ensemble, or a checkpoint.
        folder: The folder, which must not exist yet, or be empty.
        license: The identifier of the licence, such as ``mit``.
        **card: What the card says instead: :obj:`title`, :obj:`data`,
            :obj:`split`.

    Returns:
        The folder.

    Raises:
        ImportError: If safetensors is not installed.
        ValueError: If there is no such network, it is an exported folder
            already, or the folder cannot be written.
    """
    target = Path(folder).expanduser()
    path, members = load_members(source)
    folders = member_folders(path) if path.is_dir() else []
    first = folders[0] if folders else path
    if (first / CONFIG).is_file() and not (first / 'checkpoints').is_dir():
        raise ValueError(
            "'model' must be a run, an ensemble of runs or a checkpoint to be "
            f"exported, got '{path}', which is an exported folder already"
        )
    checkpoints = [_checkpoint(folder) for folder in folders or [path]]
    facts = joint_facts(
        [run_facts(read_checkpoint(c), _run(c)) for c in checkpoints]
    )
    info = members[0].info
    scores = validation_scores(info, TrainedModel(members).calibration)
    facts['scores'] = {**facts.get('scores', {}), **scores}
    given = {name: value for name, value in card.items() if value is not None}
    facts = {**facts, **given, 'license': license}
    write_members(
        target,
        [replace(member, training=facts) for member in members],
        molecule_card(
            info, members[0].predictor.hparams, len(members), **facts
        ),
    )
    return target


def _checkpoint(path: Path) -> Path:
    if path.is_file():
        return path
    best = path / 'checkpoints' / 'best.ckpt'
    return best if best.is_file() else best.with_name('last.ckpt')


def _run(checkpoint: Path) -> Path | None:
    folder = checkpoint.parent
    return folder.parent if folder.name == 'checkpoints' else None
