"""What a training in memory has made: a model that predicts, and a folder."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from gmoe.common.model_card import ModelCard
from gmoe.common.model_folder import CARD
from gmoe.molecules.cards import molecule_card, validation_scores
from gmoe.molecules.exported import new_folder, write_exported
from gmoe.molecules.fitting import Fitted
from gmoe.molecules.member import Member
from gmoe.molecules.trained_model import TrainedModel

#: What an estimator keeps in a folder, besides its networks.
_ESTIMATOR = 'estimator'


def fitted_model(fitted: Fitted) -> TrainedModel:
    """The networks of a training as a model that predicts.

    Args:
        fitted: The training.
    """
    info, two_hop = fitted.dataset.info, fitted.two_hop
    made = zip(fitted.predictors, fitted.calibrations)
    return TrainedModel([Member(p, info, two_hop, part) for p, part in made])


def save_fitted(
    folder: Path, model: TrainedModel, estimator: dict[str, Any]
) -> None:
    """Writes a model and what its estimator needs to know again.

    Args:
        folder: The folder, which must not exist yet.
        model: The model.
        estimator: Plain values.

    Raises:
        ValueError: If there is something, or it cannot be written.
    """
    parts = model.calibration
    members = [
        replace(
            member,
            calibration=parts[i] if parts else None,
            training={_ESTIMATOR: estimator},
        )
        for i, member in enumerate(model._members)
    ]
    card = molecule_card(
        model.info,
        members[0].predictor.hparams,
        len(members),
        data=f'{estimator["num_molecules"]} molecules',
        split=estimator['split'],
        scores=validation_scores(model.info, parts),
    )
    write_members(folder, members, card)


def load_fitted(
    source: str | os.PathLike[str], **hub: Any
) -> tuple[TrainedModel, dict[str, Any]]:
    """Reads a model, and what its estimator has kept, if it is of one.

    Args:
        source: What :meth:`~gmoe.molecules.TrainedModel.load` takes.
        **hub: See there.

    Raises:
        ValueError: If there is no such model, or it is damaged.
    """
    model = TrainedModel.load(source, **hub)
    kept = model._members[0].training.get(_ESTIMATOR)
    return model, kept if isinstance(kept, dict) else {}


def write_members(
    folder: Path, members: list[Member], card: ModelCard
) -> None:
    """Writes a network, or the members of an ensemble to folders of their
    own, all at once or not at all.

    Args:
        folder: The folder, which must not exist yet.
        members: The networks.
        card: The model card.

    Raises:
        ValueError: If there is something, or it cannot be written.
    """
    with new_folder(folder) as partial:
        if len(members) == 1:
            write_exported(partial, members[0], card)
            return
        for i, member in enumerate(members):
            path = partial / f'member_{i}'
            path.mkdir()
            write_exported(path, member, card)
        (partial / CARD).write_text(str(card), 'utf-8')
